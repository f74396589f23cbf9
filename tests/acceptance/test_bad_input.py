"""What is asked wrongly is answered in lines a person can act on, with exit code 2 and no traceback."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import Answer, Deployment

GOOD = f"""
ramp: {{problem_name: iris, event_name: iris, kit_dir: examples/iris, data_dir: examples/iris}}
worker: {{worker_type: conda, env: venv, venv_dir: {sys.prefix}}}
dispatcher: {{hunger_policy: exit}}
"""


def refused(answer: Answer, *expected: str, exit_code: int = 2) -> None:
    assert answer.exit_code == exit_code, answer
    assert "Traceback" not in answer.err + answer.out, answer
    for text in expected:
        assert text in answer.err, answer


def test_all_problems_of_an_event_file_are_told_at_once_with_line_key_and_remedy(deployment: Deployment) -> None:
    path = deployment.write_event(
        "ramp:\n"
        "  problem_name: iris\n"
        "  event_name: iris\n"
        "  kit_dir: nowhere\n"
        "worker:\n"
        "  worker_type: aws\n"
        "  ami_image_id: ami-0123456789abcdef0\n"
        "  ami_image_name: iris-backend\n"
        "  instance_tpye: t3.medium\n"
        "  timeout: soon\n"
        "  profile_name: ${NOT_SET}\n"
        "infra:\n"
        "  allowed_cidrs: [0.0.0.0/0]\n"
    )
    answer = deployment.invoke("status", "--event", "iris")
    refused(answer, f"{path}:4", f"{path}:9", "instance_type", f"{path}:10", "NOT_SET", f"{path}:13", "ami_image_name")


def test_yaml_that_cannot_be_read_is_told_with_its_line(deployment: Deployment) -> None:
    path = deployment.write_event("ramp:\n  problem_name: [iris\nworker: {}\n")
    refused(deployment.invoke("status", "--event", "iris"), f"{path}:")


def test_an_event_that_does_not_exist_is_told_with_those_that_do(deployment: Deployment) -> None:
    deployment.write_event(GOOD)
    refused(deployment.invoke("status", "--event", "titanic"), "titanic", "iris")


@pytest.mark.parametrize("name", ["a/b", "-rf"])
def test_a_submissions_name_that_could_be_a_path_is_refused(deployment: Deployment, name: str) -> None:
    deployment.write_event(GOOD)
    path = "examples/iris/submissions/forest"
    refused(deployment.invoke("submit", "--team", "blue", f"--submission={name}", "--path", path), "name")


def test_a_kit_without_problem_py_is_refused(deployment: Deployment) -> None:
    deployment.write_event(GOOD)
    (deployment.folder / "examples" / "iris" / "problem.py").unlink()
    path = "examples/iris/submissions/forest"
    refused(deployment.invoke("submit", "--team", "blue", "--submission", "s", "--path", path), "problem.py")


def test_a_database_that_does_not_answer_is_one_line_without_its_password(deployment: Deployment) -> None:
    deployment.write_event(GOOD + "database_url: postgresql://ramp:sesame@127.0.0.1:9/ramp\n")
    answer = deployment.invoke("status", "--event", "iris")
    refused(answer, "127.0.0.1", exit_code=1)
    assert "sesame" not in answer.err + answer.out


def test_a_key_file_that_others_can_read_is_refused(deployment: Deployment) -> None:
    key = deployment.folder / "key.pem"
    key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    key.chmod(0o644)
    deployment.write_event(
        GOOD.replace("worker: {worker_type: conda,", f"worker: {{worker_type: aws, key_path: {key},")
    )
    answer = deployment.invoke("train-loop", "--event", "iris")
    assert answer.exit_code == 2, answer
    assert "chmod 600" in answer.err


def test_without_the_pulumi_program_up_says_how_to_get_it_and_that_local_needs_none(deployment: Deployment) -> None:
    deployment.write_event(GOOD)
    refused(deployment.invoke("up", "--event", "iris", extra={"PATH": "/usr/bin:/bin"}), "pulumi", "--local")
    assert list(deployment.folder.rglob("id_ed25519")) == []


def test_local_without_a_local_cloud_says_how_to_start_one(deployment: Deployment) -> None:
    deployment.write_event(GOOD)
    refused(deployment.invoke("hosts", "--event", "iris", "--local"), "local-cloud", exit_code=1)


def test_init_event_writes_a_file_that_is_accepted(deployment: Deployment) -> None:
    made = deployment.invoke("init-event", "mine", "--kit", "examples/iris")
    assert made.exit_code == 0, made
    assert Path(deployment.folder / "events" / "mine" / "config.yml").is_file()
    again = deployment.invoke("init-event", "mine", "--kit", "examples/iris")
    refused(again, "exists already")
