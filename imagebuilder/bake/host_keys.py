"""Prove by their SSH host keys that a machine is the one that was rented, or that two have nothing in common."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.errors import ImageBuildFailed
from imagebuilder.ports import Rented

_READ = "cat /etc/ssh/ssh_host_*_key.pub 2>/dev/null"

HostKeys = Mapping[str, str]
"""Public keys by their kind, as `ssh-ed25519`."""


def own(rented: Rented) -> HostKeys:
    """Read every public host key from a machine's disk; the one it proved itself with must be among them.

    Where it is not, the disk is another machine's, or shared with one. Raises ImageBuildFailed.
    """
    text = rented.transport.run(("sh", "-c", _READ)).text
    keys = {words[0]: words[1] for words in map(str.split, text.splitlines()) if len(words) > 1}
    kind, _, key = rented.host_key.partition(" ")
    if keys.get(kind) != key:
        message = f"{rented.instance.instance_id} has not the host key on its disk that it shows"
        raise ImageBuildFailed(message, hint="a machine of the local cloud's level plain has no disk of its own")
    return keys


def refuse_common(builder: HostKeys, other: HostKeys) -> None:
    """Raise ImageBuildFailed where two machines share a key: whoever has one could pose as the other."""
    common = sorted(kind for kind, key in builder.items() if key in other.values())
    if common:
        message = f"a machine of the image has host keys of the machine that it was made on: {', '.join(common)}"
        raise ImageBuildFailed(message, hint="see whether a component copies or restores /etc/ssh")
