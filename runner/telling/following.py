"""Read the log of a running job as it grows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from contracts.redaction import BY_LOOK, Redactor
from contracts.work import Provisioned
from runner import commands
from runner.ports import Transport
from runner.stages import log_text
from runner.stages.wait import GRACE_S

MAX_BYTES = 4 * 2**20
"""More than any supervisor keeps: a host that sends more is not believed."""
_MAX_LINE_BYTES = 64 * 1024
_CUT = " [... the rest of the line is not shown while it is written ...]"
_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")  # what a carriage return at the very end means, the next byte tells


class LiveLog:
    """The lines of one job's log, cleaned for people, from wherever the last connection broke off."""

    def __init__(self, provisioned: Provisioned, redactor: Redactor = BY_LOOK) -> None:
        self.provisioned = provisioned
        self._redact = redactor.lines()
        self._read_bytes = 0
        self._unfinished = b""
        self._is_cut = False

    def lines(self, transport: Transport) -> Iterator[str]:
        """Give each line as it comes, until the job ends; call it again on a new connection to go on.

        Raises HostUnreachable, or CommandFailed where the job's folder is gone, or not there yet.
        """
        work = self.provisioned.claimed.work
        argv = commands.follow(self.provisioned.layout, commands.job_folder(work), self._read_bytes)
        timeout_s = work.timeout_s + GRACE_S
        with transport.receive(argv, timeout_s=timeout_s) as chunks:
            for chunk in chunks:
                yield from self._whole_lines(chunk)
                if self._read_bytes > MAX_BYTES:
                    yield "[... more than a log may hold: the rest is not shown ...]"
                    return
        if self._unfinished:
            yield from self._shown(self._unfinished)
            self._unfinished = b""

    def _whole_lines(self, chunk: bytes) -> Iterator[str]:
        self._read_bytes += len(chunk)
        *whole, self._unfinished = _LINE_END.split(self._unfinished + chunk)
        for line in whole:
            yield from self._shown(line)
            self._is_cut = False
        if len(self._unfinished) > _MAX_LINE_BYTES:
            yield from self._beginning(self._unfinished)
            self._unfinished = b""

    def _beginning(self, line: bytes) -> Iterator[str]:
        """Give what of an overlong line can be shown: none of a word that may be the half of a secret."""
        if not self._is_cut:
            *before, last = (self._redact(text) for text in log_text.clean(log_text.cut_back(line)).split("\n"))
            yield from before
            yield last + _CUT
        self._is_cut = True

    def _shown(self, line: bytes) -> Iterator[str]:
        """Give a line, which other signs for line ends may make several; of one that was cut nothing more."""
        if not self._is_cut:
            yield from map(self._redact, log_text.clean(line.removesuffix(b"\r")).split("\n"))
