"""Give a port of this machine whose connections come out on a host, over its verified SSH connection."""

from __future__ import annotations

import logging
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import paramiko

from clients.keepalive import KEEPALIVE, Keepalive
from clients.ssh_gateways import Gateways
from clients.ssh_pinned import Manner, translated
from contracts.errors import HostKeyRefused, RampartError
from contracts.work import HostAddress

_log = logging.getLogger(__name__)
_CHUNK_BYTES = 64 * 1024
_PAUSE_S = 0.1
MOST_CONNECTIONS = 64


def open_forward(
    host: HostAddress,
    target: tuple[str, int],
    *,
    ssh_config: Path | None = None,
    keepalive: Keepalive = KEEPALIVE,
    environment: Mapping[str, str] | None = None,
    most: int = MOST_CONNECTIONS,
) -> Forward:
    """Listen on loopback, and carry who connects to an address and port as the host sees them; see `ssh.connect`.

    Raises OSError where this machine has no port to give. The host is connected to when somebody comes.
    """
    return Forward(host, target, Manner(ssh_config, keepalive, environment or {}), most=most)


class Forward:
    """A door on 127.0.0.1 for `most` connections at a time; whoever may log in here may use it.

    A connection whose host cannot be reached is reset at once; the one to the host is made anew for the next.
    """

    def __init__(self, host: HostAddress, target: tuple[str, int], manner: Manner, *, most: int) -> None:
        self._host = host
        self._target = target
        self._manner = manner
        self._most = most
        self._gateways = Gateways()
        self._lock = threading.Lock()
        self._carried: dict[_Carried, threading.Thread] = {}
        self._is_closed = False
        self._told = ""
        self._door = socket.create_server(("127.0.0.1", 0))
        self._door.setblocking(False)
        self.port: int = self._door.getsockname()[1]
        """Where it listens."""
        self._bell, self._rung = socket.socketpair()
        self._thread = threading.Thread(target=self._listen, name=f"forward-{host.host_id}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more connections, end those there are, and the one to the host. Doing it twice is fine."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        self._bell.close()
        self._thread.join()
        with self._lock:
            carried = dict(self._carried)
        for each in carried:
            each.cut()
        self._gateways.close()
        for thread in carried.values():
            thread.join(self._manner.keepalive.answer_s)  # one may just be dialling the host

    def _listen(self) -> None:
        with self._door, self._rung, selectors.DefaultSelector() as selector:
            selector.register(self._door, selectors.EVENT_READ)
            selector.register(self._rung, selectors.EVENT_READ)
            while not self._is_closed:
                if self._door in [key.fileobj for key, _ in selector.select()]:
                    self._take()

    def _take(self) -> None:
        try:
            near, _ = self._door.accept()
        except BlockingIOError:  # it has gone again already
            return
        except OSError:  # no file descriptor is left: it waits
            time.sleep(_PAUSE_S)
            return
        carried = _Carried(near)
        with self._lock:
            if self._is_closed or len(self._carried) >= self._most:
                self._tell(f"a connection to {self._host.host_id} was refused: {len(self._carried)} are open")
                carried.refuse()
                return
            thread = threading.Thread(target=self._carry, args=(carried,), name="forward-connection", daemon=True)
            self._carried[carried] = thread
        thread.start()

    def _carry(self, carried: _Carried) -> None:
        try:
            with translated(self._host):
                channel = self._gateways.channel(self._host, self._target, self._manner)
            self._told = ""
            carried.run(channel)
        except RampartError as error:
            self._tell(str(error), level=logging.ERROR if isinstance(error, HostKeyRefused) else logging.WARNING)
            carried.refuse()
        finally:
            carried.cut()
            with self._lock:
                del self._carried[carried]
            if self._is_closed:
                self._gateways.close()

    def _tell(self, message: str, *, level: int = logging.WARNING) -> None:
        """Log what goes wrong once, until something else does or a connection is made."""
        if message != self._told and not self._is_closed:
            self._told = message
            _log.log(level, "%s", message, extra={"action": "forward-refused"})


class _Carried:
    """One connection, here and on the host."""

    def __init__(self, near: socket.socket) -> None:
        self._near = near
        self._far: paramiko.Channel | None = None
        self._is_cut = False
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self, far: paramiko.Channel) -> None:
        """Carry bytes both ways until both sides have said all they had to say, or one is gone."""
        self._far = far
        if self._is_cut:
            return
        back = threading.Thread(
            target=self._pump,
            args=(far.recv, self._near.sendall, lambda: self._hear_out(far)),
            name="forward-back",
            daemon=True,
        )
        back.start()
        self._pump(self._near.recv, far.sendall, far.shutdown_write)
        back.join()

    def refuse(self) -> None:
        """End it with a reset, as where nobody listens: who comes with TLS would take a farewell for a wrong answer."""
        with suppress(OSError):
            self._near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._near.close()

    def cut(self) -> None:
        """End both sides, from any thread."""
        self._is_cut = True
        with suppress(OSError):
            self._near.shutdown(socket.SHUT_RDWR)  # whoever reads from it sees its end
        self._near.close()
        if self._far is not None:
            with suppress(paramiko.SSHException, EOFError, OSError):
                self._far.close()

    def _hear_out(self, far: paramiko.Channel) -> None:
        """Nothing more comes from the host: it may still listen, unless its connection broke."""
        if far.closed:
            self.cut()
        else:
            self._near.shutdown(socket.SHUT_WR)

    def _pump(self, read: Callable[[int], bytes], write: Callable[[bytes], object], end: Callable[[], object]) -> None:
        try:
            while data := read(_CHUNK_BYTES):
                write(data)
            end()
        except (paramiko.SSHException, EOFError, OSError):
            self.cut()
