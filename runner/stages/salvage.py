"""Salvage the finished folds of a run whose host is about to be lost."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.work import Finished, Launched, Pushed
from runner import commands
from runner.carrying import salvaged
from runner.ports import Transport
from runner.stages import log_text, scores, tar_reader
from runner.stages.tar_reader import Limits

PATIENCE_S = 60.0
"""How long the folds may take to come; the notice of a spot instance leaves two minutes for everything."""


def salvage(launched: Launched, transport: Transport, *, timeout_s: float = PATIENCE_S) -> tuple[int, ...]:
    """Bring the folds the running job has finished to the run's `salvage_dir`; gives the numbers of all kept there.

    A fold counts where its scores can be read as those of a result, or its times where it has no scores yet; its arrays
    are checked by the job that takes it over. Raises HostUnreachable, CommandFailed, CommandTimedOut or
    TransferRefused: nothing more is kept then.
    """
    pushed = launched.pushed
    work = pushed.provisioned.claimed.work
    if work.salvage_dir is None:
        return ()
    work.salvage_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _fresh_folder(work.salvage_dir) as folder:
        argv = commands.pack_finished(pushed.job_dir, commands.output_folder(work), is_blind=pushed.is_blind)
        with transport.receive(argv, timeout_s=timeout_s) as chunks:
            tar_reader.unpack(chunks, folder, Limits())
        _keep_folds(folder, pushed, work.salvage_dir)
    return salvaged.folds_in(work.salvage_dir)


def bring_home(finished: Finished, transport: Transport) -> bytes:
    """Keep, as `salvage` does, the folds of a job that had a share of them and has ended; gives its log.

    Raises HostUnreachable, CommandFailed, CommandTimedOut or TransferRefused: nothing more is kept then.
    """
    pushed = finished.launched.pushed
    work = pushed.provisioned.claimed.work
    assert work.salvage_dir is not None  # noqa: S101 - folds are shared where they can be kept
    work.salvage_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    output = commands.output_folder(work)
    with _fresh_folder(work.salvage_dir) as folder:
        with transport.receive(commands.pack(pushed.job_dir, output)) as chunks:
            tar_reader.unpack(chunks, folder, Limits())
        _keep_folds(folder / output, pushed, work.salvage_dir)
        return log_text.read(folder / "log")


def _keep_folds(folder: Path, pushed: Pushed, kept: Path) -> None:
    share = pushed.provisioned.claimed.work.share
    for number in salvaged.folds_in(folder):
        place = kept / f"fold_{number}"
        is_wanted = (not share or number in share) and not place.exists()
        if is_wanted and _is_whole(folder / place.name, number, pushed):
            (folder / place.name).rename(place)


def _is_whole(folder: Path, number: int, pushed: Pushed) -> bool:
    """Whether a fold would pass as part of a result."""
    work = pushed.provisioned.claimed.work
    if work.folds and number >= work.folds:
        return False
    try:
        if pushed.is_blind:
            scores.read_times(folder)
            return True
        scores.check_score_types(tuple(scores.read_fold(folder, number).scores["valid"]), work)
    except scores.Unusable:
        return False
    return True


@contextmanager
def _fresh_folder(beside: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=".incoming.", dir=beside))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
