"""Do what the command line asks: be the manager of the machine's units, the keeper of one, or systemctl."""

from __future__ import annotations

from collections.abc import Sequence


def main(words: Sequence[str]) -> int:
    """Be one of the three; `ask` takes the words of systemctl.

    `serve LEVEL [boot]` manages until the machine ends, `keep LEVEL NAME SOCKET` keeps one service for the manager.
    """
    verb, *rest = words
    if verb == "serve":
        from localcloud.machines.units import manager

        manager.serve(level=rest[0], is_boot="boot" in rest[1:])
        return 0
    if verb == "keep":
        from localcloud.machines.units import service_keeper

        level, name, fd = rest
        service_keeper.keep(name, level, int(fd))
        return 0
    from localcloud.machines.units import systemctl

    return systemctl.run(rest)
