"""Keep one SSH host alive for every running instance."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import asyncssh

from contracts.dask_machines import DASHBOARD_PORT, SCHEDULER_PORT
from contracts.errors import AskedWrongly, CommandFailed, HostGone, RampartError, UnknownName
from localcloud import addresses, host_keys, metadata, small_http, ssh_config, ssh_server, user_data
from localcloud.addresses import Place
from localcloud.instances import Description, Notices
from localcloud.loop import LoopThread
from localcloud.machines import Machine

METADATA_ADDRESS = ("169.254.169.254", 80)


class Room(Protocol):
    """Where machines come from."""

    def create(
        self,
        instance_id: str,
        *,
        image_id: str | None,
        login_user: str,
        address: str,
        on_shutdown: Callable[[], None] | None = None,
        on_reboot: Callable[[], None] | None = None,
        on_reload: Callable[[], None] | None = None,
    ) -> Machine: ...

    def snapshot(self, machine: Machine, image_id: str) -> None: ...

    def forget_image(self, image_id: str) -> None: ...


@dataclass(slots=True)
class Host:
    """One instance's machine with its doors; `server` is None while the instance is stopped."""

    describe: Callable[[], Description]
    machine: Machine
    place: Place
    identity: ssh_server.Identity
    boot: user_data.UserData
    console: list[str]
    notices: Notices = field(default_factory=Notices)
    server: ssh_server.SSHServer | None = None
    metadata_server: asyncio.Server | None = None
    changing: threading.Lock = field(default_factory=threading.Lock)


class Hosts:
    """The hosts of a cloud by instance id. Methods block and may be called from any thread but the loop's."""

    def __init__(self, room: Room, loop: LoopThread, folder: Path, on_shutdown: Callable[[str], None]) -> None:
        self._room = room
        self._loop = loop
        self._folder = folder
        self._on_shutdown = on_shutdown
        self._hosts: dict[str, Host] = {}
        self._lock = threading.Lock()
        self._config_lock = threading.Lock()
        self._write_config()

    def up(
        self,
        instance_id: str,
        *,
        image_id: str | None,
        login_user: str,
        encoded_user_data: str | None,
        public_key: str | None,
        describe: Callable[[], Description],
    ) -> str:
        """Make the machine of a new instance and open its doors; gives its address. It answers when this returns."""
        boot = user_data.parse(encoded_user_data)
        keys = (*((public_key,) if public_key else ()), *boot.authorized_keys)
        identity, warnings = ssh_server.identity(boot.host_key_private, keys)
        place, door = addresses.listen()
        try:
            machine = self._room.create(
                instance_id,
                image_id=image_id,
                login_user=login_user,
                address=place.address,
                on_shutdown=lambda: self._shut_down_inside(instance_id),
                on_reboot=lambda: self._reboot_inside(instance_id),
                on_reload=lambda: self._reload_inside(instance_id),
            )
        except BaseException:
            door.close()
            raise
        try:
            identity = _settled(machine, boot, identity)
            host = Host(describe, machine, place, identity, boot, console=_boot_lines(instance_id, boot, warnings))
            self._open(host, door)
        except BaseException:
            machine.destroy()
            raise
        with self._lock:
            self._hosts[instance_id] = host
        self._write_config()
        host.console.append(_fingerprints(identity))
        _write_files(host)
        self._boot(host)
        return place.address

    def stop(self, instance_id: str) -> None:
        """Close the doors, end every process; the machine's files stay."""
        with self._changing(instance_id) as host:
            self._close(host)
            host.machine.stop()
        self._write_config()

    def start(self, instance_id: str) -> str:
        """Start a stopped machine again, at its old address and with the host key on its disk."""
        with self._changing(instance_id) as host:
            if host.server is None:
                self._start(host)
        self._write_config()
        return host.place.address

    def restart(self, instance_id: str) -> None:
        """Cut every connection, end every process, and boot again at the same address with the host key on its disk.

        One that is stopped stays so.
        """
        with self._changing(instance_id) as host:
            if host.server is not None:
                self._close(host)
                host.machine.stop()
                self._start(host)
        self._write_config()

    def down(self, instance_id: str) -> None:
        """Close the doors, end every process, drop the files. Doing it twice is fine."""
        with self._lock:
            host = self._hosts.pop(instance_id, None)
        if host is None:
            return
        with host.changing:
            self._close(host)
            host.machine.destroy()
        self._write_config()

    def close(self) -> None:
        """Take every host down."""
        for instance_id in self.ids():
            self.down(instance_id)

    def ids(self) -> list[str]:
        with self._lock:
            return list(self._hosts)

    def machine(self, instance_id: str) -> Machine:
        return self._host(instance_id).machine

    def place(self, instance_id: str) -> Place:
        return self._host(instance_id).place

    def freeze(self, instance_id: str, *, processes: bool) -> None:
        """Let a host not answer any more; with `processes`, let nothing on it run either."""
        with self._changing(instance_id) as host:
            if host.server is None:
                raise AskedWrongly(f"{instance_id} is stopped already", hint="aws ec2 start-instances starts it")
            self._loop.call(host.server.freeze())
            if processes:
                host.machine.freeze()

    def thaw(self, instance_id: str) -> None:
        """Let a host answer and run again; one that has ended meanwhile needs it no more."""
        with suppress(UnknownName), self._changing(instance_id) as host:
            if host.server is not None:
                host.machine.thaw()
                self._loop.call(host.server.thaw())

    def console(self, instance_id: str) -> str:
        """What the machine said while it booted."""
        return "\n".join([*self._host(instance_id).console, ""])

    def announce(
        self, instance_id: str, *, interruption_at: str | None = None, rebalance_at: str | None = None
    ) -> None:
        """Show a notice in the instance's metadata."""
        with self._changing(instance_id) as host:
            host.notices = replace(
                host.notices,
                interruption_at=interruption_at or host.notices.interruption_at,
                rebalance_at=rebalance_at or host.notices.rebalance_at,
            )

    def snapshot(self, instance_id: str, image_id: str) -> None:
        with self._changing(instance_id) as host:
            self._room.snapshot(host.machine, image_id)

    def forget_image(self, image_id: str) -> None:
        self._room.forget_image(image_id)

    def _neighbour(self, address: str, port: int) -> tuple[str, int] | None:
        """Where the SSH door or Dask scheduler of a running machine is; None for all else that answers on this one."""
        with self._lock:
            places = [host.place for host in self._hosts.values() if host.server is not None]
        for place in places:
            door = (place.connect_to, place.port)
            if (address, port) in ((place.address, addresses.SSH_PORT), door):
                return door
            if address == place.address and port in (SCHEDULER_PORT, DASHBOARD_PORT):
                return place.connect_to, port
        return None

    def _host(self, instance_id: str) -> Host:
        with self._lock:
            host = self._hosts.get(instance_id)
        if host is None:
            raise UnknownName(f"no running instance {instance_id}", hint="aws ec2 describe-instances lists them")
        return host

    @contextmanager
    def _changing(self, instance_id: str) -> Iterator[Host]:
        host = self._host(instance_id)
        with host.changing:
            yield host

    def _open(self, host: Host, door: socket.socket) -> None:
        service = metadata.MetadataService(lambda: metadata.lay_out(host.describe(), host.notices))
        inside = host.machine.listen_inside(METADATA_ADDRESS)
        metadata_door = inside or addresses.bound(host.place.connect_to, 0)
        metadata_door.setblocking(False)
        address, port = metadata_door.getsockname()[:2]
        environment = {} if inside else {"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://{address}:{port}/"}
        host.server = ssh_server.SSHServer(host.machine, host.identity, environment, self._neighbour)
        host.metadata_server = self._loop.call(small_http.serve(service.handle, metadata_door))
        self._loop.call(host.server.start(door))

    def _start(self, host: Host) -> None:
        host.machine.start()
        _read_key(host)
        host.place, door = addresses.listen(host.place.address)
        self._open(host, door)

    def _close(self, host: Host) -> None:
        if host.server is not None:
            self._loop.call(host.server.stop())
            host.server = None
        if host.metadata_server is not None:
            self._loop.call(small_http.close(host.metadata_server))
            host.metadata_server = None

    def _boot(self, host: Host) -> None:
        """Run what the user data asks for, as root, beside everything else, as cloud-init does after sshd is up."""
        spawn = host.machine.spawn(["/bin/sh", "-c", host.boot.boot_script()], user="root")
        process = subprocess.Popen(
            spawn.argv,
            env=spawn.env,
            cwd=spawn.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        threading.Thread(
            target=_listen_to_boot, args=(process, host.console), name="localcloud-boot", daemon=True
        ).start()

    def _shut_down_inside(self, instance_id: str) -> None:
        """Called by the machine itself, which must not wait for its own end."""
        threading.Thread(target=self._on_shutdown, args=(instance_id,), name="localcloud-shutdown", daemon=True).start()

    def _reboot_inside(self, instance_id: str) -> None:
        """Called by the machine on a thread of its own; one that cannot come back has shut down."""
        try:
            self.restart(instance_id)
        except UnknownName:
            return  # it was terminated meanwhile
        except (RampartError, OSError):
            self._on_shutdown(instance_id)

    def _reload_inside(self, instance_id: str) -> None:
        """Called by the machine on a thread of its own: its SSH server is to read its files again."""
        with suppress(UnknownName, HostGone), self._changing(instance_id) as host:
            _read_key(host)
            if host.server is not None:
                self._loop.call(host.server.take(host.identity))
        self._write_config()

    def _write_config(self) -> None:
        with self._config_lock:
            with self._lock:
                hosts = dict(self._hosts)
            ssh_config.write(
                self._folder,
                [
                    ssh_config.Entry(name, host.place, host.machine.login_user, host.identity.host_key_line)
                    for name, host in hosts.items()
                    if host.server is not None
                ],
            )


def _settled(machine: Machine, boot: user_data.UserData, identity: ssh_server.Identity) -> ssh_server.Identity:
    """Have the machine's key on its disk; it is the image's where that one was left there and is to be kept."""
    kept = host_keys.settle(
        machine,
        identity.host_key.export_private_key("openssh").decode(),
        identity.host_key_line,
        is_given=boot.host_key_private is not None,
        keeps_images=boot.keeps_host_keys,
    )
    return identity if kept is None else replace(identity, host_key=asyncssh.import_private_key(kept))


def _read_key(host: Host) -> None:
    """Take the host key on the machine's disk; without one that can be read, its server stays with what it had."""
    private = host_keys.on_disk(host.machine)
    if private is None:
        return
    try:
        host.identity = replace(host.identity, host_key=asyncssh.import_private_key(private))
    except asyncssh.KeyImportError as error:
        host.console.append(f"[    9.000000] sshd[701]: the host key cannot be read: {error}")


def _write_files(host: Host) -> None:
    """What the user data wants to lie there before its commands run; what the level cannot write it says."""
    for file in host.boot.files:
        try:
            host.machine.write_file(file.path, file.data, mode=file.mode, owner=file.owner)
        except CommandFailed as error:
            host.console.append(f"[    4.731954] cloud-init[612]: {error.message}")


def _listen_to_boot(process: subprocess.Popen[bytes], console: list[str]) -> None:
    with process:
        output, _ = process.communicate()
    if text := output.decode("utf-8", errors="replace").strip():
        console.append(text)


def _boot_lines(instance_id: str, boot: user_data.UserData, warnings: Sequence[str]) -> list[str]:
    """What a machine says before its first services are up, with what was wrong with its user data."""
    return [
        f"[    0.000000] Linux version (the local cloud's {instance_id})",
        "[    1.204417] systemd[1]: Detected virtualization amazon.",
        "[    4.731952] cloud-init[612]: Cloud-init running 'modules:config'",
        *(f"[    4.731953] cloud-init[612]: {warning}" for warning in (*boot.warnings, *warnings)),
    ]


def _fingerprints(identity: ssh_server.Identity) -> str:
    """The block cloud-init prints, from which a client may take the host key."""
    return "\n".join(
        [
            "-----BEGIN SSH HOST KEY FINGERPRINTS-----",
            f"256 {identity.fingerprint} root@localcloud (ED25519)",
            "-----END SSH HOST KEY FINGERPRINTS-----",
            "-----BEGIN SSH HOST KEY KEYS-----",
            f"{identity.host_key_line} root@localcloud",
            "-----END SSH HOST KEY KEYS-----",
        ]
    )
