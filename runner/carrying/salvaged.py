"""Know which finished folds are kept of runs that lost their host."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from contracts.work import Work

_FOLD = re.compile(r"fold_(0|[1-9][0-9]{0,4})")


def folder_of(state_dir: Path, submission_id: int, *, generation: int) -> Path:
    """Where the folds of one generation are kept, in the event's folder: another one may run on a mended kit."""
    return state_dir / "salvaged" / f"submission_{submission_id:09d}" / str(generation)


def folds_in(folder: Path) -> tuple[int, ...]:
    """The numbers of the folds that lie in a folder, as `fold_0`, `fold_1`, ...; a missing folder holds none."""
    if not folder.is_dir():
        return ()
    named = (_FOLD.fullmatch(path.name) for path in folder.iterdir())
    return tuple(sorted(int(name[1]) for name in named if name))


def forget(work: Work) -> None:
    """Remove what is kept of a submission that needs it no more; nothing kept is fine."""
    if work.salvage_dir is not None:
        shutil.rmtree(work.salvage_dir.parent, ignore_errors=True)
