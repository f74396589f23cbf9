"""Keep what the jobs of one run have left besides their folds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from contracts.errors import RunLost
from contracts.work import JobExit, Work
from runner import whole_files
from runner.stages import log_text, wait

_TRAINED = "----- {folds}, trained beside the others -----\n"
_TOGETHER = "----- all folds together -----\n"


@dataclass(frozen=True, slots=True)
class Record:
    """One job that ended well: its folds, its end, its log."""

    folds: tuple[int, ...]
    exit: JobExit
    log: str


def keep(work: Work, exit: JobExit, log: bytes) -> None:
    """Keep the record of a share, beside the folds; it is there when the last of its files is."""
    folder = _folder(work)
    name = str(work.share[0])
    whole_files.write(folder / f"{name}.log", log_text.clean(log))
    whole_files.write(folder / f"{name}.json", json.dumps({"folds": work.share, **asdict(exit)}))


def has(work: Work) -> bool:
    """Whether the share has ended well before."""
    return (_folder(work) / f"{work.share[0]}.json").exists()


def of_run(work: Work) -> tuple[Record, ...]:
    """All there are of the run's shares, by their first fold; one that cannot be read is missing."""
    if work.salvage_dir is None:
        return ()
    found = []
    for path in _folder(work).glob("*.json"):
        try:
            data = path.read_bytes()
            folds = tuple(int(number) for number in json.loads(data)["folds"])
            log = path.with_suffix(".log").read_text(encoding="utf-8")
            found.append(Record(folds, wait.parse_exit(data), log))
        except (OSError, ValueError, RunLost):  # this machine's disk; folds and scores are elsewhere
            continue
    return tuple(sorted(found, key=lambda record: record.folds))


def logs(records: Sequence[Record]) -> list[bytes]:
    """What stands before the log of the run's last job."""
    texts = [f"{_TRAINED.format(folds=named(record.folds))}{record.log.rstrip()}\n" for record in records]
    return [text.encode("utf-8") for text in [*texts, _TOGETHER]]


def longest_s(records: Sequence[Record]) -> float:
    """How long the run took so far, in seconds."""
    return max((record.exit.wall_time_s for record in records), default=0.0)


def summed(last: JobExit, records: Sequence[Record]) -> JobExit:
    """Tell of all jobs what is told of one: the memory of the greediest, the processor time of all."""
    exits = [last, *(record.exit for record in records)]
    return replace(
        last,
        wall_time_s=last.wall_time_s + longest_s(records),
        cpu_time_s=sum(exit.cpu_time_s for exit in exits),
        peak_memory_bytes=max(exit.peak_memory_bytes for exit in exits),
        output_bytes=sum(exit.output_bytes for exit in exits),
        output_dropped_bytes=sum(exit.output_dropped_bytes for exit in exits),
    )


def named(folds: Sequence[int]) -> str:
    """What people call the folds of one share."""
    return f"fold{'s' if len(folds) > 1 else ''} {', '.join(map(str, folds))}"


def _folder(work: Work) -> Path:
    assert work.salvage_dir is not None  # noqa: S101 - folds are shared where they can be kept
    return work.salvage_dir / f"jobs_{work.attempt}"
