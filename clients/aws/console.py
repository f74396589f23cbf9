"""Learn an instance's host key from its console."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Callable
from typing import Any

from clients.aws.session import client_of, translated
from contracts.errors import CloudError, HostKeyRefused

_BEGIN = "-----BEGIN SSH HOST KEY KEYS-----"
_END = "-----END SSH HOST KEY KEYS-----"
_KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
"""The one that is used first."""
_KEY = re.compile(rf"({'|'.join(_KINDS)}) (AAAA[0-9A-Za-z+/]+={{0,2}})(?=\s|$)")
_LENGTHS = {"ssh-ed25519": 51, "ecdsa-sha2-nistp256": 104, "ecdsa-sha2-nistp384": 136, "ecdsa-sha2-nistp521": 172}
"""Of the whole key in bytes, where the kind says it: one that was cut short is none."""
_NO_LATEST = frozenset({"InvalidParameterCombination", "UnsupportedOperation"})
_PATIENCE_S = 300.0
_PAUSE_S = 5.0


def host_key_from_console(text: str) -> str:
    """Find the host key that cloud-init shows at a machine's first boot, as `ssh-ed25519 AAAA...`; empty if not there.

    Between the two lines that frame the keys other programs may write too, and lines may begin with a time. Raises
    HostKeyRefused where keys of one kind differ: one machine has one key.
    """
    found: dict[str, str] = {}
    for block in _blocks(text):
        for kind, key in _KEY.findall(block):
            if not _is_whole(kind, key):
                continue
            if found.setdefault(kind, key) != key:
                hint = "someone may have written to that console: the machine is not trusted"
                raise HostKeyRefused(f"the console shows two host keys of the kind {kind}", hint=hint)
    kind = next((kind for kind in _KINDS if kind in found), None)
    return f"{kind} {found[kind]}" if kind else ""


class Console:
    """The consoles of one event's instances."""

    def __init__(
        self,
        session: Any,
        *,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client_of(session, "ec2")
        self._sleep = sleep
        self._clock = clock
        self._latest = {"Latest": True}

    def host_key(self, instance_id: str, *, patience_s: float = _PATIENCE_S) -> str:
        """Wait until the instance has shown its host key; empty where it has not by then.

        Raises CloudError, and HostKeyRefused where it shows more than one.
        """
        deadline = self._clock() + patience_s
        while True:
            key = host_key_from_console(self._text(instance_id))
            if key or self._clock() + _PAUSE_S > deadline:
                return key
            self._sleep(_PAUSE_S)

    def _text(self, instance_id: str) -> str:
        """What the console shows now; of machines that are not Nitro what EC2 kept of it, minutes late."""
        doing = f"read the console of {instance_id}"
        try:
            with translated(doing):
                answer = self._client.get_console_output(InstanceId=instance_id, **self._latest)
        except CloudError as error:
            if error.code not in _NO_LATEST or not self._latest:
                raise
            self._latest = {}
            return self._text(instance_id)
        return str(answer.get("Output") or "")


def _blocks(text: str) -> list[str]:
    """What stands between the framing lines, of every block that was ended."""
    return [block.partition(_END)[0] for block in text.split(_BEGIN)[1:] if _END in block]


def _is_whole(kind: str, key: str) -> bool:
    try:
        data = base64.b64decode(key, validate=True)
    except binascii.Error:
        return False
    name = len(kind).to_bytes(4) + kind.encode()
    return data.startswith(name) and len(data) == _LENGTHS.get(kind, len(data))
