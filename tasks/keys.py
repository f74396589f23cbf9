"""The command that makes a key pair for an event's hosts: keys-create."""

from __future__ import annotations

from pathlib import Path

from tasks.command import EVENT_HELP, LOCAL_HELP, command


@command(
    help=EVENT_HELP
    | LOCAL_HELP
    | {
        "path": "where the private key is written (default: worker.key_path, else the event's own place)",
        "force": "replace a key that is there already",
    }
)
def keys_create(
    event: str | None = None,
    config: str | None = None,
    path: str | None = None,
    force: bool = False,
    local: bool = False,
) -> None:
    """Make an ed25519 key pair that opens the event's hosts: the private half for its owner alone, the public beside.

    Example: invoke keys-create --event iris
    """
    from clients.keys import new_key_file
    from contracts.errors import AskedWrongly
    from tasks import console
    from tasks.events import open_event

    opened = open_event(event, config=config, local=local)
    private = Path(path).expanduser().absolute() if path else opened.key_path
    public = private.with_name(f"{private.name}.pub")
    there = [each for each in (private, public) if each.exists() or each.is_symlink()]
    if there and not force:
        hint = "--force replaces it: hosts that are up can then no longer be reached, and up replaces what has the key"
        raise AskedWrongly(f"{there[0]} is there already", hint=hint)
    for each in there:
        each.unlink()
    new_key_file(private)
    console.result(f"private key: {private}")
    console.result(f"public key:  {public}")
    up = f"invoke up --event {opened.name}"
    if opened.worker.key_name:
        again = (
            f"take worker.key_name {opened.worker.key_name} out of {opened.path}, which names a key AWS has, then: {up}"
        )
        console.next_step(again)
    elif private == opened.key_path:
        console.next_step(up)
    else:
        console.next_step(f"write worker.key_path: {private} in {opened.path}, then: {up}")
