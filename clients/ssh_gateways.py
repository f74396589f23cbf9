"""Share one verified connection to a jump host among all the hosts behind it."""

from __future__ import annotations

import threading
import weakref
from concurrent.futures import Future

import paramiko

from clients.ssh_lines import Line
from clients.ssh_pinned import Manner, PinnedConnection
from contracts.errors import HostUnreachable
from contracts.work import HostAddress

_Opening = Future[PinnedConnection]


class Gateways:
    """The jump hosts' connections, each made when it is first needed and again when it has died.

    They are closed with `close`, or when nobody holds this any more.
    """

    def __init__(self) -> None:
        self._opened: dict[HostAddress, _Opening] = {}
        self._lock = threading.Lock()
        weakref.finalize(self, _hang_up, self._opened)

    def line(self, gateway: HostAddress, target: tuple[str, int], manner: Manner) -> Line:
        """Open a channel to an address and port as the gateway sees them.

        The gateway proves itself like any host; what answers behind it is for the caller to check. Raises
        HostKeyRefused or HostUnreachable about the gateway, and what paramiko raises about the target.
        """
        channel = self.channel(gateway, target, manner)
        return Line(channel, channel.close)

    def channel(self, gateway: HostAddress, target: tuple[str, int], manner: Manner) -> paramiko.Channel:
        """Give what the line of that name is made of; raises the same."""
        transport: paramiko.Transport | None = self._connection(gateway, manner).transport
        if transport is None:
            raise HostUnreachable(f"the connection to {gateway.host_id} has ended", hint="connect again")
        return transport.open_channel("direct-tcpip", target, ("127.0.0.1", 0), timeout=manner.keepalive.answer_s)

    def close(self) -> None:
        """End the connections, and with them those of the hosts behind."""
        _hang_up(self._opened)

    def _connection(self, gateway: HostAddress, manner: Manner) -> PinnedConnection:
        """The living connection; who asks while another opens it shares what comes of that, an error too."""
        with self._lock:
            opening = self._opened.get(gateway)
            is_mine = opening is None or (opening.done() and not _is_alive(opening))
            if opening is None or is_mine:
                opening = self._opened[gateway] = Future()
        if is_mine:
            try:
                opening.set_result(self._open(gateway, manner))
            except BaseException as error:
                opening.set_exception(error)
        return opening.result()

    def _open(self, gateway: HostAddress, manner: Manner) -> PinnedConnection:
        connection = PinnedConnection(gateway, manner)
        connection.open(self)
        return connection


def _is_alive(opening: _Opening) -> bool:
    return opening.exception() is None and opening.result().is_alive


def _hang_up(opened: dict[HostAddress, _Opening]) -> None:
    for opening in list(opened.values()):
        if opening.done() and opening.exception() is None:
            opening.result().hang_up()
    opened.clear()
