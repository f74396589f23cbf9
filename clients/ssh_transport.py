"""Never write to a channel that was closed before."""

from __future__ import annotations

import paramiko
from paramiko.common import (
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_EXTENDED_DATA,
    MSG_CHANNEL_WINDOW_ADJUST,
)

_WRITES = frozenset({MSG_CHANNEL_DATA, MSG_CHANNEL_EXTENDED_DATA, MSG_CHANNEL_EOF, MSG_CHANNEL_WINDOW_ADJUST})


class OrderlyTransport(paramiko.Transport):
    """A transport in which nothing follows a channel's CLOSE.

    Paramiko makes a message under the channel's lock and sends it after the lock is released, so its own thread may
    answer a CLOSE in between. RFC 4254 (5.3) allows no message after it, and OpenSSH ends the whole connection.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # handed on as they come
        self._closed: set[int] = set()  # the server's numbers of channels

    def _send_message(self, data: paramiko.Message) -> None:
        # paramiko calls this with its sending lock held: what is seen here is the order on the wire
        packet = data.asbytes()
        kind = packet[0]
        if kind in _WRITES or kind == MSG_CHANNEL_CLOSE:
            number = _number(packet, 1)
            if number in self._closed:
                return
            if kind == MSG_CHANNEL_CLOSE:
                self._closed.add(number)
        super()._send_message(data)  # type: ignore[misc]  # not in the stubs

    def _parse_channel_open_success(self, message: paramiko.Message) -> None:
        self._closed.discard(_number(message.asbytes(), 4))  # servers use a number again
        super()._parse_channel_open_success(message)  # type: ignore[misc]  # not in the stubs


def _number(packet: bytes, at: int) -> int:
    return int.from_bytes(packet[at : at + 4])
