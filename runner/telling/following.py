"""Read the log of a running job as it grows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from contracts.work import Launched
from runner import commands
from runner.ports import Transport
from runner.stages import log_text
from runner.stages.wait import GRACE_S

MAX_BYTES = 4 * 2**20
"""More than any supervisor keeps: a host that sends more is not believed."""
_MAX_LINE_BYTES = 64 * 1024
_LINE_END = re.compile(rb"\r\n?|\n")


class LiveLog:
    """The lines of one run's log, cleaned for people, from wherever the last connection broke off."""

    def __init__(self, launched: Launched) -> None:
        self.launched = launched
        self._read_bytes = 0
        self._unfinished = b""

    def lines(self, transport: Transport) -> Iterator[str]:
        """Give each line as it comes, until the job ends; call it again on a new connection to go on.

        Raises HostUnreachable, or CommandFailed where the job's folder is gone.
        """
        pushed = self.launched.pushed
        provisioned = pushed.provisioned
        argv = commands.follow(provisioned.layout, pushed.job_dir, self._read_bytes)
        timeout_s = provisioned.claimed.work.timeout_s + GRACE_S
        with transport.receive(argv, timeout_s=timeout_s) as chunks:
            for chunk in chunks:
                yield from self._whole_lines(chunk)
                if self._read_bytes > MAX_BYTES:
                    yield "[... more than a log may hold: the rest is not shown ...]"
                    return
        if self._unfinished:
            yield log_text.clean(self._unfinished)
            self._unfinished = b""

    def _whole_lines(self, chunk: bytes) -> Iterator[str]:
        self._read_bytes += len(chunk)
        *whole, self._unfinished = _LINE_END.split(self._unfinished + chunk)
        for line in whole:
            yield log_text.clean(line)
        if len(self._unfinished) > _MAX_LINE_BYTES:
            yield log_text.clean(self._unfinished)
            self._unfinished = b""
