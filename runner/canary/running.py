"""Run the canary on one host: lay bait, let hostile jobs go through the ordinary stages, look at what they did."""

from __future__ import annotations

import json
import re
import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from contracts.errors import CommandFailed, RampartError, TransferRefused
from contracts.work import (
    Blame,
    Claimed,
    Finished,
    HostAddress,
    HostLayout,
    Isolation,
    JobEnd,
    JobLimits,
    Provisioned,
    Pulled,
    Pushed,
    Scored,
    Work,
)
from runner import commands
from runner.canary import bait as bait_program
from runner.canary import submission
from runner.canary.attempts import BOMBS, OUTPUTS
from runner.canary.hostile.changes import FORGED_PEAK
from runner.canary.judging import Seen, judge, said_in
from runner.canary.report import Report
from runner.ports import Transport
from runner.scoring.bundle import Bundle
from runner.stages import clean_up, launch, pull, push, scores, tar_reader, wait

_MIB = 2**20
_FIRST_ID = 999_999_000
_WALK_S, _BOMB_S, _ENDLESS_S = 60.0, 30.0, 1.0
_LIMITS = JobLimits(tasks=64, file_bytes=8 * _MIB, disk_bytes=32 * _MIB)
_MEMORY_BYTES = 192 * _MIB
_LOG_LIMIT_BYTES = 2 * _MIB
_NOBODYS_ADDRESS = "198.51.100.1"  # kept for documents


class CanaryFailed(RampartError):
    """The canary could not be run to its end, so nothing is known."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Whom a job tries to reach besides the bait; nobody answers at `outside`, an address kept for documents.

    `{address}` stands for the host's own address, `{port}` for the bait's. No resolvers are those the host is set to.
    """

    metadata: str = "169.254.169.254"
    outside: str = _NOBODYS_ADDRESS
    resolvers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """A host with what is known of it. `homes` are those of the people there, besides the login's own."""

    host: HostAddress
    layout: HostLayout
    image_id: str = ""
    homes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the event says of its runs. `bundle` is what a job gets instead of labels, None where it has them.

    `many_files` are more than `taken` allows (None: what is always allowed).
    """

    event: str
    bundle: Bundle | None = None
    isolation: Isolation = Isolation.AVAILABLE
    targets: Targets = Targets()
    many_files: int = 100_001
    taken: tar_reader.Limits | None = None


def run(
    place: Place,
    transport: Transport,
    wanted: Wanted,
    *,
    now: Callable[[], datetime],
    tell: Callable[[str], object] = lambda _: None,
) -> Report:
    """Try everything on the host; nothing of it is there afterwards.

    Raises CanaryFailed where the host does not let it run, HostUnreachable, CommandFailed.
    """
    with tempfile.TemporaryDirectory(prefix="rampart-canary-", ignore_cleanup_errors=True) as folder:
        canary = _Canary(place, transport, wanted, Path(folder), now)
        try:
            return canary.report(tell)
        finally:
            canary.clear()


@dataclass(frozen=True, slots=True)
class _Came:
    """What pulling an output came to; `is_accepted` where that should not have been taken."""

    text: str
    is_accepted: bool = False


class _Canary:
    """One canary on one host, with a folder on this machine for what it sends and gets."""

    def __init__(
        self, place: Place, transport: Transport, wanted: Wanted, folder: Path, now: Callable[[], datetime]
    ) -> None:
        self._place = place
        self._transport = transport
        self._wanted = wanted
        self._folder = folder
        self._now = now
        self._token = f"canary-{uuid.uuid4().hex[:12]}"
        self._secret = uuid.uuid4().hex
        self._jobs: list[Provisioned] = []
        self._folders: list[str] = []

    def report(self, tell: Callable[[str], object]) -> Report:
        """Run one job after the other, and judge."""
        laid = self._bait("lay", self._what_to_lay())
        submission.write(self._folder / "submission", self._plan(laid))
        tell("tries thefts and breakouts")
        walk, looked, pulled = self._walked()
        first = self._look()
        came = {
            name: self._came_to(_of_work(pulled.finished, submission_id=_FIRST_ID + number))
            for name, number in self._output_numbers().items()
        }
        own_scores = self._own_scores(pulled)
        tell("looks as the next submission would")
        heir = self._ended(self._pushed(1), "heir")
        tell("lies in the log")
        liar = self._ended(self._pushed(2), "lie")
        ends, came_of_bombs = self._bombs(tell)
        for job in self._jobs:
            clean_up.clean_up(job, self._transport)
        last = self._look()
        came |= came_of_bombs
        accepted = {name: one.text for name, one in came.items() if one.is_accepted}
        if last["there"]:
            accepted["disk"] = "what it wrote is on the host still"
        container = walk.exit.containment
        if container is None:
            raise CanaryFailed("the host does not say what it contained the canary by")
        seen = Seen(
            containment=container,
            ended=f"the job ended: {walk.exit.end}, code {walk.exit.code}",
            said=said_in(_log(pulled), self._token),
            looked=said_in(looked, self._token),
            found=said_in(_log(heir), self._token),
            bait=self._bait_that_came_back(),
            touched=_touched(first, self._token) | _touched(last, self._token) | self._gone(first, last),
            laid=frozenset(place for place, _ in laid["files"]),
            left=frozenset(first["left"]) | frozenset(last["left"]),
            setuid=tuple(first["setuid"]),
            pulled={name: one.text for name, one in came.items() if not one.is_accepted},
            accepted=accepted,
            ends=ends,
            log=_log(liar),
            log_bytes=liar.log_path.stat().st_size,
            log_limit_bytes=_LOG_LIMIT_BYTES,
            own_scores=own_scores,
            blamed_others=_blamed_others(liar),
            record_forged=walk.exit.peak_memory_bytes == FORGED_PEAK,
        )
        return Report(container, self._wanted.bundle is not None, judge(seen))

    def clear(self) -> None:
        """Take everything off the host that a break left there."""
        for job in self._jobs:
            clean_up.clean_up(job, self._transport)
        self._bait("clear")

    def _walked(self) -> tuple[Finished, str, Pulled]:
        """The first job, after a look around from outside of its walls."""
        pushed = self._pushed(0)
        looked = self._transport.run(self._program(pushed, "look"), timeout_s=_WALK_S).text
        pulled = self._ended(pushed, "walk")
        finished = pulled.finished
        if finished.exit.end is JobEnd.NOT_CONTAINED:
            hint = "isolation: available takes what it can give; invoke doctor tells what this machine can"
            raise CanaryFailed(f"the event demands isolation: strict, and {_log(pulled).strip()}", hint=hint)
        return finished, looked, pulled

    def _bombs(self, tell: Callable[[str], object]) -> tuple[dict[str, JobEnd], dict[str, _Came]]:
        """Each takes all of something; gives how it ended, and of one that leaves output what came of that."""
        ends: dict[str, JobEnd] = {}
        came: dict[str, _Came] = {}
        for number, name in enumerate(BOMBS, start=3):
            tell(f"takes all there is: {name}")
            timeout_s = _ENDLESS_S if name == "endless" else _BOMB_S
            pushed = self._pushed(number, timeout_s=timeout_s)
            finished = self._finished(pushed, name)
            ends[name] = finished.exit.end
            if name == "many":
                came[name] = self._came_to(finished)
            clean_up.clean_up(pushed.provisioned, self._transport)
        return ends, came

    def _ended(self, pushed: Pushed, verb: str) -> Pulled:
        return pull.pull(self._finished(pushed, verb), self._transport, self._wanted.taken)

    def _finished(self, pushed: Pushed, verb: str) -> Finished:
        program = self._program(pushed, verb)
        return wait.wait(launch.launch(pushed, self._transport, self._now, program=program), self._transport)

    def _program(self, pushed: Pushed, verb: str) -> tuple[str, ...]:
        work = pushed.provisioned.claimed.work
        hostile = f"{pushed.job_dir}/{commands.submission_folder(work)}/hostile"
        return (self._place.layout.python, "-I", "-B", hostile, verb)

    def _pushed(self, number: int, timeout_s: float = _WALK_S) -> Pushed:
        provisioned = Provisioned(
            Claimed(self._work(number, timeout_s), self._now()),
            self._place.host,
            self._place.layout,
            self._place.image_id,
        )
        clean_up.clean_up(provisioned, self._transport)  # a canary that was killed may have left one
        self._jobs.append(provisioned)
        pushed = push.push(provisioned, self._transport, bundle=self._wanted.bundle)
        self._folders.append(pushed.job_dir)
        return pushed

    def _work(self, number: int, timeout_s: float = _WALK_S) -> Work:
        key = f"job_{number}"
        return Work(
            submission_id=_FIRST_ID + number,
            event=self._wanted.event,
            team="canary",
            submission="canary",
            attempt=1,
            submission_dir=self._folder / "submission",
            logs_dir=self._folder / "logs" / key,
            predictions_dir=self._folder / "predictions" / key,
            timeout_s=timeout_s,
            memory_limit_bytes=_MEMORY_BYTES,
            folds=1,
            limits=_LIMITS,
            isolation=self._wanted.isolation,
            whole_log_dir=self._folder / "whole_logs" / key,
        )

    def _came_to(self, finished: Finished) -> _Came:
        """Pull an output."""
        try:
            pulled = pull.pull(finished, self._transport, self._wanted.taken)
        except TransferRefused as error:
            work = finished.launched.pushed.provisioned.claimed.work
            return _Came(error.message.replace(f"{commands.output_folder(work)}/", ""))
        except CommandFailed as error:
            return _Came(f"it cannot be sent: {error.message}")
        if pulled.output_dir is None:
            return _Came("it is not taken for its output")
        paths = list(pulled.output_dir.rglob("*"))
        odd = [path for path in paths if path.is_symlink() or not (path.is_file() or path.is_dir())]
        if odd:
            return _Came(f"{odd[0].name!r} is no plain file", is_accepted=True)
        if len(paths) > (self._wanted.taken or tar_reader.Limits()).members:
            return _Came(f"{len(paths)} files", is_accepted=True)
        return _Came("it came as plain files")

    def _own_scores(self, pulled: Pulled) -> str:
        """What became of the scores the first job wrote itself; empty where they are no part of the result."""
        outcome = scores.score(pulled, _NoScores())
        if isinstance(outcome, Scored):
            return "they are believed: only scoring: server stops this"
        return ""

    def _bait(self, verb: str, told: Mapping[str, Any] | None = None) -> dict[str, Any]:
        text = json.dumps({"token": self._token, "secret": self._secret, **(told or {})})
        source = Path(bait_program.__file__).read_text("utf-8")
        answer = self._transport.run((self._place.layout.python, "-I", "-B", "-c", source, verb, text))
        if answer.exit_code != 0:
            said = answer.stderr.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1]
            raise CanaryFailed(f"the bait on {self._place.host.host_id} could not be looked after: {said}")
        found: dict[str, Any] = json.loads(answer.stdout)
        return found

    def _what_to_lay(self) -> dict[str, Any]:
        other = self._work(99)
        return {
            "homes": list(self._place.homes),
            "label_folders": list(self._label_folders()),
            "other_job": f"{commands.job_folder(other)}/{commands.submission_folder(other)}",
        }

    def _label_folders(self) -> Iterable[str]:
        return dict.fromkeys((self._place.layout.kit_dir, self._place.layout.data_dir))

    def _output_numbers(self) -> dict[str, int]:
        return {name: 100 + number for number, name in enumerate(OUTPUTS)}

    def _look(self) -> dict[str, Any]:
        return self._bait("look", {"folders": self._folders})

    def _gone(self, *looks: Mapping[str, Any]) -> frozenset[str]:
        """The places whose bait was changed, and `signals` where the process that keeps it was killed."""
        changed = {place for look in looks for place in look["changed"]}
        return frozenset(changed | ({"signals"} if not all(look["lives"] for look in looks) else set()))

    def _plan(self, laid: Mapping[str, Any]) -> dict[str, Any]:
        targets = self._wanted.targets
        own = {"address": next(iter(laid["addresses"]), _NOBODYS_ADDRESS), "port": laid["port"]}
        keys = {name: self._work(number).submission_key for name, number in self._output_numbers().items()}
        return {
            "token": self._token,
            "label_folders": list(self._label_folders()),
            "homes": laid["homes"],
            "other_submission": laid["other_submission"],
            "bait_pid": laid["pid"],
            "bait_port": laid["port"],
            "addresses": laid["addresses"],
            "abstract_socket": self._token,
            "file_sockets": laid["file_sockets"],
            "bait_key": self._token if laid["key"] else "",
            "metadata": targets.metadata,
            "outside": targets.outside.format(**own),
            "resolvers": [one.format(**own) for one in targets.resolvers],
            "outputs": keys,
            "many_files": self._wanted.many_files,
            "memory_bytes": _MEMORY_BYTES,
            "disk_bytes": _LIMITS.disk_bytes,
        }

    def _bait_that_came_back(self) -> frozenset[str]:
        """The places whose bait is in a log, and the outputs that hold any."""
        pattern = re.compile(rb"bait ([a-z-]{1,40}) " + self._secret.encode())
        found: set[str] = set()
        for path in (*(self._folder / "logs").rglob("log"), *(self._folder / "whole_logs").rglob("log")):
            found |= {name.decode() for name in pattern.findall(path.read_bytes())}
        for name, number in self._output_numbers().items():
            output = self._folder / "predictions" / "job_0" / self._work(number).submission_key
            files = [path for path in output.rglob("*") if path.is_file() and not path.is_symlink()]
            if any(pattern.search(path.read_bytes()) for path in files):
                found.add(name)
        return frozenset(found)


class _NoScores:
    """A scorer that finds nothing to score: what is left are scores the job wrote itself."""

    def bundle(self) -> Bundle | None:
        return None

    def score(self, output_dir: Path, labels: str, times: object) -> str:  # noqa: ARG002
        return ""


def _of_work(finished: Finished, **changes: Any) -> Finished:
    """The same run as that of another submission, or shown otherwise."""
    pushed = finished.launched.pushed
    claimed = pushed.provisioned.claimed
    work = replace(claimed.work, **changes)
    provisioned = replace(pushed.provisioned, claimed=replace(claimed, work=work))
    return replace(finished, launched=replace(finished.launched, pushed=replace(pushed, provisioned=provisioned)))


def _blamed_others(pulled: Pulled) -> str:
    """Whom the verdict on a run blames; empty where that is the participant."""
    outcome = scores.score(pulled)
    if isinstance(outcome, Scored):
        return "the run counts as scored"
    return "" if outcome.blame is Blame.PARTICIPANT else f"the {outcome.blame} is blamed: {outcome.message}"


def _touched(look: Mapping[str, Any], token: str) -> frozenset[str]:
    pattern = re.compile(rf"{re.escape(token)} job ([a-z-]{{1,40}}) ")
    return frozenset(name for line in look["touched"] for name in pattern.findall(line))


def _log(pulled: Pulled) -> str:
    return pulled.log_path.read_text("utf-8")
