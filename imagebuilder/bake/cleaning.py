"""Have nothing on a machine's disk that is its own, before an image is made of it."""

from __future__ import annotations

from importlib import resources

from contracts.errors import CommandFailed
from imagebuilder.ports import Transport

_TIMEOUT_S = 900.0
_SHOWN = 10


def clean(transport: Transport) -> None:
    """Remove host keys, whom it lets in, histories, traces of its user data, ids, logs, caches, temporary files.

    The connection it is done over stays; a second one could not be made. Raises CommandFailed.
    """
    _refuse(_left(transport, "clean"))


def prove_clean(transport: Transport) -> None:
    """Raise CommandFailed where anything is there that `clean` removes."""
    _refuse(_left(transport, "look"))


def _left(transport: Transport, verb: str) -> list[str]:
    script = (resources.files("imagebuilder.bake") / "clean.sh").read_bytes()
    done = transport.send(("sudo", "-n", "sh", "-s", "--", verb, "/"), (script,), timeout_s=_TIMEOUT_S)
    said = done.stderr.decode("utf-8", "replace").strip()
    if done.exit_code != 0:
        message = f"the machine could not be cleaned: {said or f'exit code {done.exit_code}'}"
        raise CommandFailed(message, exit_code=done.exit_code, output_tail=said)
    return done.text.splitlines()


def _refuse(left: list[str]) -> None:
    if left:
        more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        listed = ", ".join(left[:_SHOWN])
        raise CommandFailed(
            f"not fit for an image, the machine still has {listed}{more}", exit_code=1, output_tail="\n".join(left)
        )
