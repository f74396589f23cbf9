"""The program as the `pulumi` command runs it: the folder `infra`, in a stack named as the event."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import pulumi
import pytest
import yaml

from tests.unit.infra.conftest import PUBLIC_KEY, REPOSITORY
from tests.unit.infra.recording import Recording, record

PROJECT = yaml.safe_load((REPOSITORY / "Pulumi.yaml").read_text())


def _run(stack: str) -> Recording:
    return record(lambda: runpy.run_path(str(REPOSITORY / PROJECT["main"]), run_name="__main__") and None, stack=stack)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAMPART_ALLOWED_CIDR", "203.0.113.0/28")
    monkeypatch.setenv("RAMPART_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("RAMPART_EVENT_FILE", raising=False)
    monkeypatch.delenv("RAMPART_IMAGE_ENVIRONMENT", raising=False)
    key = tmp_path / "iris" / "id_ed25519.pub"
    key.parent.mkdir()
    key.write_text(PUBLIC_KEY)


def test_the_stacks_name_finds_the_event_file() -> None:
    outputs = _run("iris").outputs

    assert (outputs["event"], outputs["stack"], outputs["image_name"]) == ("iris", "iris", "iris-backend")


def test_a_variable_names_another_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    copy = tmp_path / "deployment" / "events" / "copy" / "config.yml"
    copy.parent.mkdir(parents=True)
    text = (REPOSITORY / "events" / "iris" / "config.yml").read_text()
    copy.write_text(text)
    shutil.copytree(REPOSITORY / "examples" / "iris", tmp_path / "deployment" / "examples" / "iris")
    monkeypatch.setenv("RAMPART_EVENT_FILE", str(copy))

    assert _run("elsewhere").outputs["stack"] == "elsewhere"


def test_an_event_that_does_not_exist_is_told_without_a_traceback() -> None:
    with pytest.raises(pulumi.RunError, match=r"events/nowhere/config\.yml"):
        _run("nowhere")
