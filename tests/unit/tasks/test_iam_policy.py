"""The policies are printed as JSON: all of them, or one as IAM takes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.iam_policy import iam_policy
from tests.unit.infra.events import OPTIONS, event_with


@pytest.fixture
def event_file(tmp_path: Path) -> str:
    return str(event_with(OPTIONS["everything"], tmp_path).path)


def printed(capsys: pytest.CaptureFixture[str], **options: Any) -> tuple[Any, str]:
    capsys.readouterr()
    iam_policy.body(None, **options)
    out, err = capsys.readouterr()
    return json.loads(out), err


def test_all_parts_are_one_object(capsys: pytest.CaptureFixture[str], event_file: str) -> None:
    policies, err = printed(capsys, event=event_file)
    assert {name.partition("-")[0] for name in policies} == {"deploy", "build", "run"}
    assert "aws iam create-policy --policy-name rampart-iris-deploy-1" in err.splitlines()[-1]


def test_one_part_is_ready_for_iam(capsys: pytest.CaptureFixture[str], event_file: str) -> None:
    policy, err = printed(capsys, event=event_file, part="run")
    assert set(policy) == {"Version", "Statement"}
    assert "--policy-document file://run.json" in err.splitlines()[-1]


def test_a_part_that_is_too_long_for_one_policy_names_its_numbers(
    capsys: pytest.CaptureFixture[str], event_file: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        iam_policy.body(None, event=event_file, part="deploy")
    assert ended.value.code == 2
    assert "hint: --part deploy-1 and --part deploy-2" in capsys.readouterr().err


def test_an_unknown_part_names_those_there_are(capsys: pytest.CaptureFixture[str], event_file: str) -> None:
    with pytest.raises(SystemExit) as ended:
        iam_policy.body(None, event=event_file, part="destroy")
    assert ended.value.code == 2
    assert "build, run" in capsys.readouterr().err
