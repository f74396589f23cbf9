"""Take from the scoring process what it has no need of: the network, every capability, every way to more rights."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache

_log = logging.getLogger(__name__)
_WITHOUT_RIGHTS = ("setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--")
_PATIENCE_S = 10.0


def confined(argv: Sequence[str]) -> tuple[str, ...]:
    """Give the command line that runs `argv` so, as the same process; where that cannot be had it runs as it is.

    It is an organiser's kit that reads arrays of strangers: it keeps the organiser's user, who may read the data.
    """
    return (*_walls(os.geteuid() == 0), *argv)


@cache
def _walls(is_root: bool) -> tuple[str, ...]:
    """What stands before a command line; found by trying, once."""
    if sys.platform != "linux":
        return ()
    own_user = () if is_root else ("--map-root-user",)
    walls = ("unshare", *own_user, "--net", "--", *_WITHOUT_RIGHTS)
    try:
        done = subprocess.run(
            [*walls, "true"], capture_output=True, stdin=subprocess.DEVNULL, timeout=_PATIENCE_S, check=False
        )
        why_not = done.stderr.decode("utf-8", "replace").strip() if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        why_not = str(error)
    if why_not:
        _log.info("the scoring process keeps its network: %s", why_not, extra={"action": "scoring-not-confined"})
        return ()
    return walls
