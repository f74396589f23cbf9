"""Commands that need no AWS account: demo, local-cloud."""

from __future__ import annotations

import sys

from tasks.command import command


@command(help={"keep": "leave the cloud up afterwards, to try things by hand (Ctrl-C ends it)"})
def demo(keep: bool = False) -> None:
    """Run a whole event on an embedded cloud: stack, image, six submissions, leaderboard.

    Example: invoke demo --keep
    """
    from tasks import demo as demonstration

    demonstration.run(keep=keep)


@command(
    help={
        "folder": "where the cloud keeps everything (default .rampart/localcloud)",
        "level": "full, user or plain: how far apart hosts are (default: the strongest this machine can)",
        "port": "port of the AWS API (default: a free one)",
        "real-packages": "let apt-get really install on hosts (level full)",
    }
)
def local_cloud(
    folder: str | None = None,
    level: str | None = None,
    port: int | None = None,
    real_packages: bool = False,
) -> None:
    """Run an AWS on loopback until Ctrl-C; `--local` of the other commands finds it.

    Example: invoke local-cloud
    """
    from localcloud.__main__ import main

    options = [("--folder", folder), ("--level", level), ("--port", port)]
    argv = [word for name, value in options if value is not None for word in (name, str(value))]
    sys.exit(main([*argv, *(["--real-packages"] if real_packages else [])]))
