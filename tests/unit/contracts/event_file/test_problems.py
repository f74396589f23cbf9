"""Every mistake in an event file is told with its line, its key and what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.errors import BadConfiguration
from contracts.event import EventConfig
from contracts.event_file import load_event

Load = Callable[..., EventConfig]

CASES = Path(__file__).parents[3] / "data" / "events"
RAMP = "ramp: {problem_name: iris, event_name: iris}\n"


def told(call: Callable[[], object]) -> str:
    """The problems of a refused file, one a line."""
    with pytest.raises(BadConfiguration) as refused:
        call()
    assert refused.value.exit_code == 2
    return "".join(f"{problem}\n" for problem in refused.value.problems)


@pytest.mark.parametrize("case", sorted(path.stem for path in CASES.glob("*.expected")))
def test_a_file_with_mistakes_is_refused_with_all_of_them(
    case: str, load: Load, deployment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = CASES / f"{case}.deployment.yml"
    if config.exists():
        (deployment / "config.yml").write_bytes(config.read_bytes())
    problems = told(lambda: load((CASES / f"{case}.yml").read_text()))
    assert (
        problems.replace(f"{deployment}/home", "~").replace(f"{deployment}/", "")
        == (CASES / f"{case}.expected").read_text()
    )
    assert "hunter2" not in problems
    assert capsys.readouterr() == ("", "")


def test_every_case_has_its_expected_problems_beside_it() -> None:
    cases = {path.name.split(".")[0] for path in CASES.iterdir()}
    assert cases == {path.stem for path in CASES.glob("*.expected")}


def test_all_problems_stand_in_the_one_message(load: Load) -> None:
    with pytest.raises(BadConfiguration, match=r"2 problems.*\n  .*timeout.*\n  .*worker_type"):
        load(RAMP + "worker: {worker_type: awss, timeout: -1}")


def test_a_file_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    assert "there is no such file" in told(lambda: load_event(tmp_path / "config.yml", environ={}))


def test_a_folder_in_place_of_the_file_is_told_so(tmp_path: Path) -> None:
    assert "is not a file" in told(lambda: load_event(tmp_path, environ={}))


def test_a_name_too_long_for_any_file_is_told_so(tmp_path: Path) -> None:
    assert "cannot be read" in told(lambda: load_event(tmp_path / ("x" * 5000), environ={}))


def test_a_file_in_another_encoding_is_told_with_the_line(event_path: Path) -> None:
    event_path.write_bytes("ramp:\n  event_title: Fête\n".encode("latin-1"))
    assert "config.yml:2: is not UTF-8 text" in told(lambda: load_event(event_path, environ={}))


def test_a_file_of_megabytes_is_not_read(event_path: Path) -> None:
    event_path.write_bytes(b"#" * 3_000_000)
    assert "is larger than 256 KiB" in told(lambda: load_event(event_path, environ={}))


def test_a_value_that_means_itself_does_not_hang(load: Load) -> None:
    assert "far more values" in told(lambda: load("ramp: &a [*a, *a]"))


def test_a_file_with_a_thousand_mistakes_is_told_in_fifty_lines(load: Load) -> None:
    problems = told(lambda: load("".join(f"key{number}: 1\n" for number in range(1000))))
    assert len(problems.splitlines()) == 51
    assert "problems more" in problems


def test_a_message_cannot_carry_control_characters(load: Load) -> None:
    assert "\x1b" not in told(lambda: load('"\\e[31mred": 1\nramp: {event_title: "\\e[31mred"}'))


def test_a_given_deployment_file_must_be_there(load: Load, deployment: Path) -> None:
    missing = deployment / "other.yml"
    assert f"{missing}: there is no such file" in told(
        lambda: load(RAMP + "worker: {worker_type: aws}", deployment_config=missing)
    )


def test_a_key_file_others_can_read_is_refused(load: Load, deployment: Path) -> None:
    key = deployment / "iris.pem"
    key.touch()
    key.chmod(0o644)
    text = RAMP + "worker: {worker_type: aws, key_path: iris.pem}"
    assert f"worker.key_path: others can read {key} — take that from them: chmod 600" in told(lambda: load(text))
    key.chmod(0o400)
    assert load(text).worker.key_path == key


def test_a_folder_that_is_no_virtual_environment_is_refused(load: Load) -> None:
    text = RAMP + "worker: {worker_type: conda, env: venv, venv_dir: empty-kit}"
    assert "is not a virtual environment" in told(lambda: load(text))


def test_the_submission_that_tests_the_image_must_be_in_the_kit(load: Load) -> None:
    text = RAMP + "worker: {worker_type: aws}\ninfra: {image: {quick_test_submission: forest}}"
    assert "infra.image.quick_test_submission: the kit has no submissions/forest" in told(lambda: load(text))


def test_a_variable_that_is_not_set_is_told_with_the_key(load: Load) -> None:
    text = RAMP + 'worker: {worker_type: aws}\ninfra: {allowed_cidrs: ["${OFFICE}"]}'
    assert "infra.allowed_cidrs[0]: the environment variable OFFICE is not set" in told(lambda: load(text))


def test_a_variable_cannot_open_the_port_to_the_world(load: Load) -> None:
    text = RAMP + 'worker: {worker_type: aws}\ninfra: {allowed_cidrs: ["${OFFICE}"]}'
    assert "would let the whole world in" in told(lambda: load(text, {"OFFICE": "0.0.0.0/0"}))
