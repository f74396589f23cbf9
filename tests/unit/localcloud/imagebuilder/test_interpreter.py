"""Documents run as AWSTOE runs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from localcloud.imagebuilder.interpreter import StepFailure

if TYPE_CHECKING:
    from tests.unit.localcloud.imagebuilder.conftest import Bench

Steps = Callable[[str], str]

PARAMETERS = """schemaVersion: 1.0
parameters:
  - Home: {type: string, default: /home/ubuntu}
  - Word: {type: string, default: hello}
  - Other: {type: string}
constants:
  - Fixed: {type: string, value: stone}
phases:
  - name: build
    steps:
      - name: Say
        action: ExecuteBash
        inputs: {commands: ['echo {{ Home }} {{ Word }} {{ Other }} {{ Fixed }} {{ Unknown }}']}
  - name: validate
    steps:
      - name: Again
        action: ExecuteBash
        inputs: {commands: ['echo again {{ build.Say.outputs.stdout }}']}
"""


def test_the_machine_wins_over_the_recipe_and_the_recipe_over_the_default(bench: Bench, tmp_path: Path) -> None:
    assert bench.run(PARAMETERS, "build", "validate", Word="good day", Other="x", Home="/elsewhere") is None
    said = f"{tmp_path} good day x stone {{{{ Unknown }}}}"
    assert bench.printed == [said, f"again {said}"]


def test_the_log_tells_phase_step_action_and_exit_code(bench: Bench, steps: Steps) -> None:
    bench.run(steps("      - {name: One, action: ExecuteBash, inputs: {commands: ['echo a; echo b >&2']}}"))
    assert [line for line in bench.log if not line.startswith("Std")] == [
        "Phase build",
        "Step One",
        "ExecuteBash: STARTED EXECUTION",
        "ExitCode 0",
        "ExecuteBash: FINISHED EXECUTION",
    ]
    assert {"Stdout: a", "Stderr: b"} < set(bench.log)


def failing(on_failure: str) -> str:
    return f"""      - {{name: Bad, action: ExecuteBash, onFailure: {on_failure}, inputs: {{commands: ['exit 3']}}}}
      - {{name: Next, action: ExecuteBash, inputs: {{commands: ['echo next']}}}}
"""


def test_abort_stops_at_the_failed_step(bench: Bench, steps: Steps) -> None:
    failure = bench.run(steps(failing("Abort")))
    assert failure == StepFailure("build", "Bad", "ExecuteBash", "exit code 3")
    assert bench.printed == []


def test_continue_runs_the_rest_and_fails_all_the_same(bench: Bench, steps: Steps) -> None:
    failure = bench.run(steps(failing("Continue")))
    assert failure is not None
    assert failure.step == "Bad"
    assert bench.printed == ["next"]


def test_ignore_forgets_the_failure(bench: Bench, steps: Steps) -> None:
    assert bench.run(steps(failing("Ignore"))) is None
    assert bench.printed == ["next"]


def test_a_step_is_tried_as_often_as_it_may_be(bench: Bench, steps: Steps) -> None:
    commands = "['echo x >> n; grep -c x n | grep 3']"
    text = f"      - {{name: Third, action: ExecuteBash, maxAttempts: 3, inputs: {{commands: {commands}}}}}"
    assert bench.run(steps(text)) is None
    assert bench.printed == ["3"]
    assert "Attempt 3 of 3" in bench.log


def test_a_step_past_its_time_is_ended_and_fails(bench: Bench, steps: Steps) -> None:
    failure = bench.run(
        steps("      - {name: Slow, action: ExecuteBash, timeoutSeconds: 1, inputs: {commands: [sleep 60]}}")
    )
    assert failure is not None
    assert failure.message == "timed out after 1 seconds"


def test_exit_194_restarts_the_instance_and_runs_the_step_again(bench: Bench, steps: Steps) -> None:
    text = """      - name: Boot
        action: ExecuteBash
        inputs: {commands: ['test -f done && exit 0', 'touch done', 'exit 194']}
      - {name: Restart, action: Reboot, inputs: {delaySeconds: 60}}
"""
    assert bench.run(steps(text)) is None
    assert bench.restarts == ["i-1", "i-1"]


def test_a_killed_command_may_mean_that_the_instance_has_ended(bench: Bench, steps: Steps) -> None:
    assert bench.run(steps("      - {name: Dies, action: ExecuteBash, inputs: {commands: ['kill -9 $$']}}")) is not None
    assert bench.killed == ["i-1"]


def test_a_step_that_restarts_for_ever_fails(bench: Bench, steps: Steps) -> None:
    failure = bench.run(steps("      - {name: Boot, action: ExecuteBash, inputs: {commands: [exit 194]}}"))
    assert failure is not None
    assert "asked for a restart" in failure.message


def test_a_condition_skips_or_aborts_a_step(bench: Bench, steps: Steps, tmp_path: Path) -> None:
    text = f"""      - name: Absent
        action: ExecuteBash
        if: {{fileExists: {tmp_path}/none}}
        inputs: {{commands: [echo no]}}
      - name: Present
        action: ExecuteBash
        if: {{binaryExists: bash}}
        inputs: {{commands: [echo yes]}}
      - name: Stop
        action: ExecuteBash
        if: {{folderExists: {tmp_path}, then: Abort}}
        inputs: {{commands: [echo no]}}
"""
    failure = bench.run(steps(text))
    assert failure is not None
    assert failure.step == "Stop"
    assert bench.printed == ["yes"]


def test_loops_turn_over_numbers_lists_and_joined_lists(bench: Bench, steps: Steps) -> None:
    text = """      - name: For
        action: ExecuteBash
        loop: {name: count, for: {start: 5, end: 9, updateBy: 2}}
        inputs: {commands: ['echo {{ loop.index }}:{{ count.value }}']}
      - name: Each
        action: ExecuteBash
        loop: {forEach: [a, b]}
        inputs: {commands: ['echo {{ loop.value }}']}
      - name: Joined
        action: ExecuteBash
        loop: {forEach: {list: 'c,d', delimiter: ','}}
        inputs: {commands: ['echo {{ loop.value }}']}
"""
    assert bench.run(steps(text)) is None
    assert bench.printed == ["0:5", "1:7", "2:9", "a", "b", "c", "d"]


def test_a_list_is_split_at_commas_by_default_and_the_turns_print_into_one_output(bench: Bench, steps: Steps) -> None:
    text = """      - name: Joined
        action: ExecuteBash
        loop: {forEach: {list: 'a,b'}}
        inputs: {commands: ['echo {{ loop.value }}']}
      - {name: Both, action: ExecuteBash, inputs: {commands: ['echo "{{ build.Joined.outputs.stdout }}"']}}
"""
    assert bench.run(steps(text)) is None
    assert bench.printed == ["a", "b", "a", "b"]


INNER = """schemaVersion: 1.0
parameters:
  - Word: {type: string, default: none}
phases:
  - name: build
    steps:
      - {name: Say, action: ExecuteBash, inputs: {commands: ['echo inner {{ Word }}']}}
  - name: validate
    steps:
      - {name: Fail, action: ExecuteBash, inputs: {commands: ['exit 7']}}
"""
OUTER = """      - name: Inner
        action: ExecuteDocument
        inputs: {document: '%s', phases: '%s', parameters: [{name: Word, value: given}]}
      - name: After
        action: ExecuteBash
        inputs: {commands: ['echo {{ build.Inner.outputs.executedStepCount }} {{ build.Inner.outputs.status }}']}
"""


@pytest.mark.parametrize("place", ["{folder}/inner.yml", "inner.yml", "s3://bucket/inner.yml", "arn:aws:inner/1.0.0"])
def test_a_document_runs_another_one(bench: Bench, steps: Steps, tmp_path: Path, place: str) -> None:
    (tmp_path / "inner.yml").write_text(INNER)
    bench.objects["s3://bucket/inner.yml"] = INNER.encode()
    bench.components["arn:aws:inner/1.0.0"] = INNER
    assert bench.run(steps(OUTER % (place.format(folder=tmp_path), "build"))) is None
    assert bench.printed == ["inner given", "1 success"]


@pytest.mark.parametrize(
    ("phases", "message"),
    [("", "step Fail of inner.yml failed: exit code 7"), ("build, test", "inner.yml has no phase test")],
)
def test_a_document_inside_another_that_cannot_run_fails_its_step(
    bench: Bench, steps: Steps, tmp_path: Path, phases: str, message: str
) -> None:
    (tmp_path / "inner.yml").write_text(INNER)
    failure = bench.run(steps(OUTER % ("inner.yml", phases)))
    assert failure is not None
    assert (failure.step, failure.message) == ("Inner", message)


def test_a_document_that_runs_itself_or_nests_too_deep_is_stopped(bench: Bench, steps: Steps, tmp_path: Path) -> None:
    def calls(name: str) -> str:
        return steps(f"      - {{name: Call, action: ExecuteDocument, inputs: {{document: {name}}}}}")

    (tmp_path / "self.yml").write_text(calls("self.yml"))
    failure = bench.run(calls("self.yml"))
    assert failure is not None
    assert failure.message == "self.yml would run itself again"
    for number in range(3):
        (tmp_path / f"{number}.yml").write_text(calls(f"{number + 1}.yml"))
    (tmp_path / "3.yml").write_text(INNER)
    failure = bench.run(calls("0.yml"))
    assert failure is not None
    assert "3.yml is nested too deep" in failure.message


@pytest.mark.parametrize(("text", "message"), [(None, "no document"), ("a: 1", "is no component document: line 1")])
def test_what_is_no_document_cannot_be_run_inside_another(
    bench: Bench, steps: Steps, tmp_path: Path, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / "inner.yml").write_text(text)
    failure = bench.run(steps(OUTER % ("inner.yml", "build")))
    assert failure is not None
    assert message in failure.message


def test_the_commands_of_a_step_are_one_script(bench: Bench, steps: Steps) -> None:
    bench.run(
        steps("      - {name: One, action: ExecuteBash, inputs: {commands: ['WORD=kept', 'false', 'echo $WORD']}}")
    )
    assert bench.printed == ["kept"]


def test_a_phase_the_document_lacks_is_nothing_to_do(bench: Bench, steps: Steps) -> None:
    assert bench.run(steps(failing("Abort")), "test") is None
