"""Start the hosts that sit the Transport's exam."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Thread

import asyncssh

from clients import keys
from clients.memory import Call, MemoryHost
from contracts.work import HostAddress
from runner.ports import Transport

SSHD = "/usr/sbin/sshd"

# the exam's commands; the host in memory knows each by its script
SPEAK = ("sh", "-c", "printf out; printf err >&2; exit 3")
FLOOD = ("sh", "-c", "head -c 3000000 /dev/zero >&2; head -c 3000000 /dev/zero")
DIE = ("sh", "-c", "kill -9 $$")
FAIL_LATE = ("sh", "-c", "printf some; echo no space left >&2; exit 4")
SLEEP = ("sleep", "10")
PRINT = ("printf", "%s\\n")


@dataclass(frozen=True, slots=True)
class Reachable:
    """One host of the exam: how to connect to it, and how to lose it where that can happen."""

    connect: Callable[[], Transport]
    lose: Callable[[], None]


def memory_host() -> MemoryHost:
    """The in-memory host with the exam's commands."""

    def sh(call: Call) -> int:
        if call.argv == SPEAK:
            call.out(b"out")
            call.err(b"err")
            return 3
        if call.argv == FLOOD:
            call.err(bytes(3_000_000))
            call.out(bytes(3_000_000))
            return 0
        if call.argv == FAIL_LATE:
            call.out(b"some")
            call.err(b"no space left\n")
            return 4
        return -1

    def cat(call: Call) -> int:
        for chunk in call.stdin:
            call.out(chunk)
        return 0

    def sleep(call: Call) -> int:
        for _ in call.stdin:
            pass
        call.ended.wait(float(call.argv[1]))
        return 0

    def print_lines(call: Call) -> int:
        call.out("".join(f"{word}\n" for word in call.argv[2:]).encode())
        return 0

    return MemoryHost({"sh": sh, "cat": cat, "sleep": sleep, "printf": print_lines})


@dataclass(frozen=True, slots=True)
class SshHost:
    """An SSH server that runs: its address with the right key in it, and what can happen to its connections."""

    address: HostAddress
    lose: Callable[[], None]
    frozen: Callable[[], AbstractContextManager[None]]


def behind(host: HostAddress, gateway: HostAddress) -> HostAddress:
    """The host as it is reached over the gateway."""
    return replace(host, via=gateway)


def tunnelled(host: HostAddress, folder: Path) -> HostAddress:
    """The host as it is reached through a program that carries its input and output there."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "tunnel"
    program.write_text(f"#!{sys.executable} -IS\n{_RELAY}", encoding="utf-8")
    program.chmod(0o755)
    return replace(host, proxy_command=(str(program), host.address, str(host.port)))


_RELAY = """\
import os, socket, sys, threading

def carry(read, write, end):
    try:
        while data := read(65536):
            write(data)
    except OSError:
        pass
    end()

def print_all(data):
    while data:
        data = data[os.write(1, data):]

there = socket.create_connection((sys.argv[1], int(sys.argv[2])))
there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
up = (lambda size: os.read(0, size), there.sendall, lambda: os._exit(0))
threading.Thread(target=carry, args=up, daemon=True).start()
carry(there.recv, print_all, lambda: os._exit(0))
"""


@contextmanager
def asyncssh_host(folder: Path) -> Iterator[SshHost]:
    """An asyncssh server on a port of its own, whose home is `folder`."""
    private, public = keys.new_host_key()
    client_key = folder / "client_key"
    authorized = keys.new_key_file(client_key)
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="asyncssh-host")
    thread.start()
    connections: set[asyncssh.SSHServerConnection] = set()
    serving: set[asyncio.Task[None] | None] = set()

    class Server(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            connections.add(conn)
            self.conn = conn

        def connection_lost(self, exc: Exception | None) -> None:
            connections.discard(self.conn)

        def connection_requested(self, *_: object) -> bool:
            return True  # a jump host: as OpenSSH's default

    async def start() -> asyncssh.SSHAcceptor:
        return await asyncssh.create_server(
            Server,
            "127.0.0.1",
            0,
            server_host_keys=[asyncssh.import_private_key(private)],
            authorized_client_keys=asyncssh.import_authorized_keys(authorized),
            process_factory=lambda process: _kept(_serve(process, folder), serving),
            encoding=None,
        )

    async def abort() -> None:
        for connection in list(connections):
            connection.abort()

    async def stop(acceptor: asyncssh.SSHAcceptor) -> None:
        acceptor.close()
        await abort()
        await acceptor.wait_closed()
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:  # one that ends may have begun another
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @contextmanager
    def frozen() -> Iterator[None]:
        thaw = Event()
        loop.call_soon_threadsafe(thaw.wait)
        yield
        thaw.set()

    acceptor = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    address = HostAddress("i-asyncssh", "127.0.0.1", "ubuntu", acceptor.get_port(), public, client_key)
    try:
        yield SshHost(address, lambda: asyncio.run_coroutine_threadsafe(abort(), loop).result(10), frozen)
    finally:
        asyncio.run_coroutine_threadsafe(stop(acceptor), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _kept(work: Coroutine[None, None, None], kept: set[asyncio.Task[None] | None]) -> None:
    """Serve to the end: asyncio itself holds tasks weakly, and a lost connection lets go of its own."""
    task: asyncio.Task[None] | None = asyncio.current_task()
    kept.add(task)
    try:
        await work
    finally:
        kept.discard(task)


async def _serve(process: asyncssh.SSHServerProcess[bytes], home: Path) -> None:
    child = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", process.command or ":"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        start_new_session=True,
    )
    feeding = asyncio.create_task(_feed(process.stdin, child))
    try:
        await asyncio.gather(_drain(child.stdout, process.stdout), _drain(child.stderr, process.stderr))
        code = await child.wait()
        if code < 0:
            process.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))
        else:
            process.exit(code)
    except (OSError, asyncssh.Error):
        return  # the channel was closed; an exception here would end the whole connection
    finally:
        feeding.cancel()
        if child.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
        child._transport.close()  # type: ignore[attr-defined]


async def _feed(source: asyncssh.SSHReader[bytes], child: asyncio.subprocess.Process) -> None:
    assert child.stdin is not None
    with suppress(OSError, asyncssh.Error):
        while data := await source.read(65536):
            child.stdin.write(data)
            await child.stdin.drain()
        child.stdin.close()


async def _drain(source: asyncio.StreamReader | None, sink: asyncssh.SSHWriter[bytes]) -> None:
    assert source is not None
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()


@contextmanager
def openssh_host(folder: Path) -> Iterator[SshHost]:
    """OpenSSH's sshd as the user of this process, on a port of its own."""
    private, public = keys.new_host_key()
    client_key = folder / "client_key"
    authorized = folder / "authorized_keys"
    authorized.write_text(keys.new_key_file(client_key) + "\n")
    host_key = folder / "host_key"
    host_key.write_text(private)
    host_key.chmod(0o600)
    port = _free_port()
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"AuthorizedKeysFile {authorized}\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        "PermitRootLogin prohibit-password\nSetEnv SHLVL=2\n"  # bash then leaves the .bashrc of this machine alone
    )
    server = subprocess.Popen(
        [*_with_privilege_folder(), SSHD, "-D", "-e", "-f", str(config)], stderr=subprocess.PIPE, text=True
    )
    assert server.stderr is not None
    try:
        for line in server.stderr:
            if "Server listening" in line:
                break
        else:
            raise RuntimeError("sshd did not start")
        address = HostAddress("i-openssh", "127.0.0.1", getpass.getuser(), port, public, client_key)
        yield SshHost(address, lambda: _signal_below(server.pid, signal.SIGKILL), lambda: _frozen(server.pid))
    finally:
        server.terminate()
        _signal_below(server.pid, signal.SIGKILL)
        server.wait(10)
        server.stderr.close()


def openssh_missing() -> str:
    """Why OpenSSH's sshd cannot be used here; empty where it can."""
    return "" if Path(SSHD).exists() else f"{SSHD} is missing (package openssh-server)"


def _with_privilege_folder() -> tuple[str, ...]:
    """As root sshd wants /run/sshd; where the service has not made it, it gets one in a mount namespace of its own."""
    if os.geteuid() != 0 or Path("/run/sshd").is_dir() or shutil.which("unshare") is None:
        return ()
    script = 'mount -t tmpfs tmpfs /run && mkdir -m 0755 /run/sshd && exec "$@"'
    return ("unshare", "--mount", "sh", "-c", script, "sh")


@contextmanager
def _frozen(server: int) -> Iterator[None]:
    _signal_below(server, signal.SIGSTOP)
    yield
    _signal_below(server, signal.SIGKILL)


def _signal_below(ancestor: int, number: signal.Signals) -> None:
    """Signal everything below a process: an unprivileged sshd holds the connection in a grandchild."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    below = children.get(ancestor, [])
    for pid in below:  # grows while it is walked
        below += children.get(pid, [])
        with suppress(OSError):
            os.kill(pid, number)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
