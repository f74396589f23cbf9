"""Documents run step by step, and their failures tell where and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clients.local import LocalTransport
from contracts.errors import BadDocument, HostUnreachable
from imagebuilder import documents
from imagebuilder.building.build_log import BuildLog
from imagebuilder.running import Execution, Failure, Machine, carry_out

if TYPE_CHECKING:
    from tests.unit.imagebuilder.running.conftest import Bench

TWO_PHASES = """schemaVersion: 1.0
phases:
  - name: build
    steps:
      - {name: Make, action: ExecuteBash, inputs: {commands: ['echo build']}}
  - name: validate
    steps:
      - {name: Prove, action: ExecuteBash, inputs: {commands: ['echo validate; exit {{ Code }}']}}
parameters:
  - Code: {type: string, default: '0'}
"""


def executions(bench: Bench, *codes: str) -> list[Execution]:
    document = documents.parse(TWO_PHASES, Path("document.yml"))
    return [
        Execution(f"part-{number}", document, bench.machine, values={"Code": code}, log=bench.log.append)
        for number, code in enumerate(codes)
    ]


def test_each_phase_runs_over_all_documents_before_the_next(bench: Bench) -> None:
    assert carry_out(executions(bench, "0", "0"), ("build", "validate", "test"), bench.log.append) is None
    assert [line for line in bench.log if line.startswith(("Document ", "Phase ", "TOE "))] == [
        *("Document part-0", "Phase build", "Document part-1", "Phase build"),
        *("Document part-0", "Phase validate", "Document part-1", "Phase validate"),
        "TOE has completed execution successfully",
    ]


def test_the_first_failure_ends_it_and_tells_the_place_and_the_exit_code(bench: Bench) -> None:
    failure = carry_out(executions(bench, "0", "5", "0"), ("build", "validate"), bench.log.append)
    assert failure == Failure("part-1", "validate", "Prove", "ExecuteBash", "exit code 5", 5)
    assert str(failure) == "part-1, phase validate, step Prove (ExecuteBash): exit code 5"
    assert bench.log[-1] == "Step Prove failed: exit code 5"


def test_the_build_s_log_reader_finds_the_failed_step(bench: Bench) -> None:
    carry_out(executions(bench, "5"), ("build", "validate"), bench.log.append)
    log = BuildLog()
    log.read(bench.log)
    assert str(log.failed) == "part-0, phase validate, step Prove"
    assert "Stdout: validate" in log.tail


def test_a_value_nobody_declared_is_refused_before_anything_runs(bench: Bench) -> None:
    with pytest.raises(BadDocument, match="no such parameter"):
        bench.run(TWO_PHASES, Other="1")
    assert bench.log == []


def test_an_action_that_is_impossible_fails_its_step_alone(bench: Bench) -> None:
    failure = bench.run("""      - name: ForWindows
        action: ExecutePowerShell
        onFailure: Continue
        inputs: {commands: ['x']}
      - {name: Next, action: ExecuteBash, inputs: {commands: ['echo next']}}
""")
    assert failure is not None
    assert failure.reason == "ExecutePowerShell is an action for Windows only"
    assert failure.exit_code is None
    assert bench.printed == ["next"]


def test_the_secrets_of_a_script_are_in_no_log(bench: Bench) -> None:
    bench.run("      - {name: Quiet, action: ExecuteBash, inputs: {commands: ['set -x', 'exit 1 # hunter2']}}\n")
    bench.run("""      - name: Late
        action: ExecuteBash
        timeoutSeconds: 1
        inputs: {commands: ['sleep 30 # hunter2']}
""")
    assert "Step Late failed: timed out after 1 seconds" in bench.log
    assert not [line for line in bench.log if "hunter2" in line]


def test_a_lost_machine_ends_everything_and_the_log_tells_where(bench: Bench) -> None:
    transport = LocalTransport(bench.home)
    source = """schemaVersion: 1.0
phases:
  - name: build
    steps:
      - {name: Last, action: ExecuteBash, onFailure: Continue, inputs: {commands: ['echo now; exec sleep 0.2']}}
      - {name: Never, action: ExecuteBash, inputs: {commands: ['echo never']}}
"""

    def log(line: str) -> None:
        bench.log.append(line)
        if line == "Stdout: now":
            transport.close()

    document = documents.parse(source, Path("document.yml"))
    with pytest.raises(HostUnreachable):
        Execution("part", document, Machine(transport), values={}, log=log).run("build")
    assert bench.log[-2:] == [
        "ExecuteBash: FAILED EXECUTION",
        "Step Last failed: the connection to this machine was closed",
    ]


NESTED = """schemaVersion: 1.0
parameters:
  - Word: {type: string}
phases:
  - name: build
    steps:
      - {name: Inner, action: ExecuteBash, inputs: {commands: ['echo "inner {{ Word }}"']}}
      - {name: Shaky, action: ExecuteBash, onFailure: Ignore, inputs: {commands: ['exit 1']}}
  - name: validate
    steps:
      - {name: Proof, action: ExecuteBash, inputs: {commands: ['test {{ Word }} != bad']}}
"""


def outer(document: str, word: str = "hello", phases: str = "") -> str:
    return f"""      - name: RunIt
        action: ExecuteDocument
        inputs:
          document: '{document}'
          {f"phases: '{phases}'" if phases else ""}
          parameters:
            - {{name: Word, value: {word}}}
      - name: Told
        action: ExecuteBash
        inputs:
          commands: ['echo {{{{ build.RunIt.outputs.status }}}} {{{{ build.RunIt.outputs.executedStepCount }}}}']
"""


def test_a_document_runs_another_from_the_machine_from_s3_or_given_by_name(bench: Bench) -> None:
    (bench.home / "inner.yml").write_text(NESTED)
    bench.objects.table["bucket", "inner.yml"] = NESTED.encode()
    bench.others["arn:aws:imagebuilder:eu-west-3:1:component/inner/1.0.0/1"] = documents.parse(NESTED, Path("i"))
    for name in (str(bench.home / "inner.yml"), "s3://bucket/inner.yml", *bench.others):
        bench.log.clear()
        assert bench.run(outer(name)) is None
        assert bench.printed == ["inner hello", "success 3"]


def test_only_the_phases_that_are_named_run(bench: Bench) -> None:
    (bench.home / "inner.yml").write_text(NESTED)
    assert bench.run(outer(str(bench.home / "inner.yml"), phases="build")) is None
    assert bench.printed == ["inner hello", "success 2"]


@pytest.mark.parametrize(
    ("name", "word", "phases", "reason"),
    [
        ("inner.yml", "bad", "", "step Proof of inner.yml failed: exit code 1"),
        ("inner.yml", "hello", "build,test", "inner.yml has no phase test"),
        ("none.yml", "hello", "", "the document none.yml cannot be read"),
        ("s3://bucket/none.yml", "hello", "", "s3://bucket/none.yml cannot be read: no object none.yml"),
        ("arn:aws:imagebuilder:x", "hello", "", "the component arn:aws:imagebuilder:x was not given"),
        ("itself.yml", "hello", "", "documents run each other at most 3 levels deep"),
        ("broken.yml", "hello", "", "broken.yml:1: "),
    ],
)
def test_what_cannot_be_run_inside_another_fails_the_step_that_asked(
    bench: Bench, name: str, word: str, phases: str, reason: str
) -> None:
    bench.machine = Machine(LocalTransport(bench.home), working_directory=str(bench.home))
    (bench.home / "inner.yml").write_text(NESTED)
    (bench.home / "broken.yml").write_text("phases: [")
    step = outer("itself.yml")
    (bench.home / "itself.yml").write_text(
        f"schemaVersion: 1.0\nparameters:\n  - Word: {{type: string}}\nphases:\n  - name: build\n    steps:\n{step}"
    )
    failure = bench.run(outer(name, word, phases))
    assert failure is not None
    assert failure.step == "RunIt"
    assert reason in failure.reason
