"""A cluster that is not deployed is refused with what to do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.errors import AskedWrongly
from contracts.event_file import load_event
from contracts.stack import StackOutputs
from runner.dask.clusters.of_stack import standing_cluster
from runner.hosts import WayIn
from tests.unit.runner.dask.cluster_doubles import OUTPUTS

EVENT = """
ramp: {problem_name: iris, event_name: iris, kit_dir: kit}
worker: {worker_type: dask, ami_image_name: iris-backend}
infra: {dask: {valid_until: "2099-03-31T18:00:00Z"}}
"""
EMPTY = OUTPUTS.model_copy(update={"dask_scheduler_id": ""})


@pytest.mark.parametrize(
    ("outputs", "remedy"),
    [
        (None, "invoke up --event iris"),
        (EMPTY, "invoke up --event iris"),
        (
            EMPTY.model_copy(update={"waits_for_image": ("dask",)}),
            "invoke build-ami --event iris, then invoke up --event iris",
        ),
    ],
)
def test_a_stack_without_the_cluster_says_what_is_missing(
    tmp_path: Path, outputs: StackOutputs | None, remedy: str
) -> None:
    (tmp_path / "kit" / "submissions" / "starting_kit").mkdir(parents=True)
    (tmp_path / "kit" / "problem.py").touch()
    (tmp_path / "config.yml").write_text(EVENT)
    event = load_event(tmp_path / "config.yml", environ={})
    with pytest.raises(AskedWrongly, match="has no Dask cluster") as caught:
        standing_cluster(
            event,
            outputs,
            way_in=WayIn(),
            session=None,
            connect=lambda host: pytest.fail(f"connected to {host}"),
            open_forward=lambda host, _: pytest.fail(f"connected to {host}"),
            now=lambda: datetime.now(UTC),
        )
    assert caught.value.hint == remedy
