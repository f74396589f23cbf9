"""Events whose images the tests describe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.event import EventConfig

MakeEvent = Callable[..., EventConfig]


@pytest.fixture
def kit_dir(tmp_path: Path) -> Path:
    """A small kit with everything a kit may hold, and some that no image should."""
    kit = tmp_path / "kits" / "flowers"
    for name, content in {
        "problem.py": "import helper\n",
        "helper.py": "x = 1\n",
        "requirements.txt": "scikit-learn\n",
        "data/train.csv": "a,b\n1,2\n",
        "submissions/starting_kit/estimator.py": "pass\n",
        "submissions/starting_kit/__pycache__/estimator.pyc": "",
        "submissions/starting_kit/training_output/fold_0/state.txt": "",
        "submissions/somebody/estimator.py": "secret idea\n",
        ".git/config": "[remote]\n",
        "data/.cache": "",
        "README.md": "Flowers\n",
    }.items():
        path = kit / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return kit


@pytest.fixture
def make_event(tmp_path: Path, kit_dir: Path) -> MakeEvent:
    """Make an event; keyword arguments go to its sections `image` and `worker`."""

    def make(*, worker: dict[str, Any] | None = None, **image: Any) -> EventConfig:
        return EventConfig.model_validate(
            {
                "path": tmp_path / "config.yml",
                "deployment": tmp_path,
                "state_root": tmp_path / ".rampart",
                "database_url": "sqlite://",
                "ramp": {
                    "problem_name": "flowers",
                    "event_name": "flowers_2026",
                    "kit_dir": kit_dir,
                    "data_dir": tmp_path / "ramp-data" / "flowers",
                    **{name: tmp_path / name for name in ("submissions_dir", "predictions_dir", "logs_dir")},
                },
                "worker": {"worker_type": "aws", **(worker or {})},
                "infra": {"image": {"kit": {"folder": kit_dir}, **image}},
            }
        )

    return make
