"""Never write to a channel that was ended or closed before."""

from __future__ import annotations

from typing import Any

import paramiko
from paramiko.common import MSG_CHANNEL_CLOSE, MSG_CHANNEL_DATA, MSG_CHANNEL_EOF, MSG_CHANNEL_EXTENDED_DATA

_DATA = frozenset({MSG_CHANNEL_DATA, MSG_CHANNEL_EXTENDED_DATA, MSG_CHANNEL_EOF})


class OrderlyTransport(paramiko.Transport):
    """A transport in which nothing follows a channel's CLOSE, and no data its EOF.

    Paramiko makes a message under the channel's lock and sends it after the lock is released, so its own thread may
    answer a CLOSE in between, or another one close the channel. RFC 4254 (5.3) allows neither, and servers end the
    whole connection; where they use the channel's number again, a late message would even reach a stranger.
    """

    def _send_message(self, data: paramiko.Message) -> None:
        # paramiko calls this with its sending lock held: what is seen here is the order on the wire
        sender = getattr(data, "sender", None)
        if sender is None or sender.lets_pass(data.asbytes()[0]):
            super()._send_message(data)  # type: ignore[misc]  # not in the stubs

    def _parse_channel_open_success(self, message: paramiko.Message) -> None:
        channel = self._channels.get(int.from_bytes(message.asbytes()[:4]))  # type: ignore[attr-defined]
        if channel is not None:
            channel.transport = _Sender(self)
        super()._parse_channel_open_success(message)  # type: ignore[misc]  # not in the stubs


class _Sender:
    """The transport as one channel sees it: it knows which messages are that channel's, and how far it has come."""

    def __init__(self, transport: OrderlyTransport) -> None:
        self._transport = transport
        self._has_ended = False
        self._has_closed = False

    def lets_pass(self, kind: int) -> bool:
        """Whether a message of this kind may be sent now; asked in the order of sending."""
        if self._has_closed or (self._has_ended and kind in _DATA):
            return False
        self._has_closed = kind == MSG_CHANNEL_CLOSE
        self._has_ended = self._has_ended or kind == MSG_CHANNEL_EOF
        return True

    def _send_user_message(self, message: Any) -> None:
        message.sender = self
        self._transport._send_user_message(message)  # type: ignore[attr-defined]  # not in the stubs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
