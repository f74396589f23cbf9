"""Describe a challenge's kit: its score types, the number of its folds."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.errors import KitInvalid

_SCRIPT = Path(__file__).parent / "job" / "describe_kit.py"
_PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class ScoreType:
    """One column of the leaderboard, as the kit's `problem.score_types` says."""

    name: str
    is_lower_the_better: bool
    minimum: float = -math.inf
    maximum: float = math.inf
    precision: int = 2


@dataclass(frozen=True, slots=True)
class KitDescription:
    """What the database must know of a kit. The first score type is the official one."""

    title: str
    score_types: tuple[ScoreType, ...]
    folds: int


def describe_kit(kit_dir: Path, *, data_dir: Path | None = None, python: str = sys.executable) -> KitDescription:
    """Load the kit's `problem.py` in a process of `python`, the kit's own environment, and say what it declares.

    `data_dir` is the folder that holds `data/`, by default the kit. Raises KitInvalid.
    """
    if not kit_dir.is_dir():
        raise KitInvalid(f"the kit {kit_dir} does not exist", hint="ramp.kit_dir of the event file names its folder")
    if not (kit_dir / "problem.py").is_file():
        raise KitInvalid(f"the kit {kit_dir} has no problem.py", hint="is ramp.kit_dir the kit's own folder?")
    return _parsed(_asked([python, str(_SCRIPT), str(kit_dir), str(data_dir or kit_dir)], kit_dir), kit_dir)


def _asked(argv: list[str], kit_dir: Path) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired as error:
        message = f"problem.py of {kit_dir} was not loaded in {_PATIENCE_S:.0f} s"
        raise KitInvalid(message, hint="ramp-test --quick-test in the kit shows where it waits") from error
    except OSError as error:
        hint = "it is the Python of the kit's environment"
        raise KitInvalid(f"{argv[0]} cannot be run: {error.strerror}", hint=hint) from error
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit code {done.returncode}"]
        hint = "ramp-test --quick-test in the kit shows the whole error"
        raise KitInvalid(f"problem.py of {kit_dir} cannot be used: {lines[-1].strip()}", hint=hint)
    return done.stdout.decode("utf-8", "replace")


def _parsed(text: str, kit_dir: Path) -> KitDescription:
    said: dict[str, Any] = json.loads(text)
    score_types = tuple(
        ScoreType(
            name=str(one["name"]),
            is_lower_the_better=bool(one["is_lower_the_better"]),
            minimum=float(one["minimum"]),
            maximum=float(one["maximum"]),
            precision=int(one["precision"]),
        )
        for one in said["score_types"]
    )
    names = [one.name for one in score_types]
    if not names or len(set(names)) != len(names):
        message = f"problem.py of {kit_dir} must declare score types of different names, it has {names}"
        raise KitInvalid(message, hint="score_types = [...] in problem.py; the first one is official")
    if int(said["folds"]) < 1:
        raise KitInvalid(f"get_cv in problem.py of {kit_dir} gives no fold", hint="it must give at least one")
    return KitDescription(title=str(said["title"]), score_types=score_types, folds=int(said["folds"]))
