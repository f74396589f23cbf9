"""The commands of a stack drive the pulumi program as its Automation API does; here a stand-in answers for it."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from invoke.context import Context

from contracts.stack import StackOutputs
from tasks import provisioning, stack
from tests.unit.tasks.engine_log import BUCKET, END, VPC, begins, ends, fails, says, summary, urn

REPOSITORY = Path(__file__).resolve().parents[3]
STANDIN = Path(__file__).with_name("standin_pulumi.py")
NEWEST, WITHOUT_STREAM = "v3.250.0", "v3.200.0"  # from 3.206 on the engine streams its events, before it wrote a file

OUTPUTS: dict[str, Any] = {
    **{"stack": "iris", "event": "iris", "region": "eu-west-3", "vpc_id": "vpc-1", "subnet_ids": ["subnet-1"]},
    **{"build_subnet_id": "subnet-1", "access": "public", "key_name": "iris", "security_group_id": "sg-1"},
    **{"server_group_id": "sg-2", "builder_group_id": "sg-3", "launch_template_id": "lt-1"},
    **{"instance_types": ["t3.medium"], "image_pipeline_arn": "arn:pipeline", "image_name": "iris-backend"},
    **{"image_parameter": "/rampart/iris/image", "image_log_group": "/rampart/iris/images"},
}
MADE = [begins("create", "hall"), ends("create", "hall"), summary(create=1), END]


@dataclass(frozen=True)
class Pulumi:
    """The stand-in's folder."""

    folder: Path

    def script(self, **told: Any) -> None:
        """Say what it answers; what is not said goes well and changes nothing."""
        nothing = {"events": [summary(same=1), END]}
        whole = {"version": NEWEST, **dict.fromkeys(("preview", "up", "refresh", "destroy"), nothing)}
        answers = {"outputs": OUTPUTS, "masked": told.get("outputs", OUTPUTS)}
        (self.folder / "script.json").write_text(json.dumps(whole | answers | told), encoding="utf-8")

    def has_stack(self, name: str = "iris") -> None:
        (self.folder / "stacks" / name).touch()

    @property
    def calls(self) -> list[dict[str, Any]]:
        path = self.folder / "calls.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    @property
    def asked(self) -> list[str]:
        """The first words of each call, without the version."""
        said = [[word for word in call["argv"] if word != "--non-interactive"] for call in self.calls]
        return [" ".join(words[:2]) if words[0] == "stack" else words[0] for words in said if words != ["version"]]

    def call(self, operation: str) -> dict[str, Any]:
        return next(call for call in self.calls if operation in call["argv"])


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pulumi:
    folder, programs = tmp_path / "standin", tmp_path / "bin"
    (folder / "stacks").mkdir(parents=True)
    programs.mkdir()
    program = programs / "pulumi"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STANDIN}" "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STANDIN_PULUMI", str(folder))
    pulumi = Pulumi(folder)
    pulumi.script()
    return pulumi


@pytest.fixture
def event_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example event in a deployment of its own; nothing of AWS in the environment, and nothing is swept there."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "RAMPART_", "PULUMI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RAMPART_ALLOWED_CIDR", "203.0.113.7/32")
    monkeypatch.setattr(stack, "_sweep", lambda _: None)
    monkeypatch.setattr("tasks.hosts.live", lambda _: [])
    text = (REPOSITORY / "events" / "iris" / "config.yml").read_text(encoding="utf-8")
    path = tmp_path / "house" / "events" / "iris" / "config.yml"
    path.parent.mkdir(parents=True)
    path.write_text(text.replace("examples/iris", str(REPOSITORY / "examples" / "iris")), encoding="utf-8")
    monkeypatch.chdir(tmp_path / "house")
    return path


def ends_with(code: int, run: Callable[[], object]) -> None:
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == code


def up(**options: Any) -> None:
    provisioning.up(Context(), skip_preflight=True, **options)


def kept(event_file: Path) -> Path:
    return event_file.parents[2] / ".rampart" / "iris" / "outputs.json"


Printed = pytest.CaptureFixture[str]


def test_up_makes_the_stack_deploys_and_keeps_the_outputs_for_their_owner_alone(
    pulumi: Pulumi, event_file: Path, capsys: Printed
) -> None:
    pulumi.script(up={"events": MADE})

    up()

    printed = capsys.readouterr()
    assert pulumi.asked[:3] == ["stack select", "stack init", "up"]
    assert f"  creating  hall ({VPC})\n  created   hall ({VPC}, 3 s)\n1 created\n" in printed.err
    assert "what the program prints" not in printed.err + printed.out
    assert printed.out == "stack iris is up in eu-west-3\n"
    path = kept(event_file)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert StackOutputs.model_validate_json(path.read_text("utf-8")).vpc_id == "vpc-1"
    assert [one.name for one in path.parent.glob("outputs*")] == ["outputs.json"]
    call = pulumi.call("up")
    assert call["folder"] == str(REPOSITORY)
    assert call["environment"]["RAMPART_EVENT_FILE"] == str(event_file)
    assert call["argv"][-2:] == ["--stack", "iris"]
    assert {"--yes", "--skip-preview"} <= set(call["argv"])


def test_a_program_that_writes_its_events_to_a_file_is_understood_too(
    pulumi: Pulumi, event_file: Path, capsys: Printed
) -> None:
    pulumi.script(version=WITHOUT_STREAM, up={"events": MADE})

    up()

    assert "1 created" in capsys.readouterr().err


def test_a_stack_that_is_there_is_taken_as_it_is(pulumi: Pulumi, event_file: Path, capsys: Printed) -> None:
    pulumi.has_stack()

    up()

    assert "stack init" not in pulumi.asked
    assert "nothing to do" in capsys.readouterr().err


def test_the_program_is_told_which_deployment_was_named(pulumi: Pulumi, event_file: Path) -> None:
    other = event_file.parents[2] / "other.yml"
    other.write_text("database_url: sqlite:///x.db\n", encoding="utf-8")

    up(config="other.yml")

    assert pulumi.call("up")["environment"]["RAMPART_DEPLOYMENT_CONFIG"] == str(other)


def test_a_resource_that_fails_is_told_with_what_it_said(pulumi: Pulumi, event_file: Path, capsys: Printed) -> None:
    failed = [
        begins("create", "hall"),
        says("error: creating EC2 VPC: VpcLimitExceeded", about=urn(VPC, "hall")),
        fails("create", "hall"),
        says("update failed", about="urn:pulumi:iris::rampart::pulumi:pulumi:Stack::rampart-iris"),
        summary(),
        END,
    ]
    pulumi.script(up={"events": failed, "exit_code": 255, "stderr": "error: update failed"})

    ends_with(1, up)

    lines = capsys.readouterr().err.splitlines()
    assert lines[-3:] == [
        "error: pulumi up failed for the stack iris:",
        "  hall: creating EC2 VPC: VpcLimitExceeded",
        "hint: mend it, then again: invoke up --event iris",
    ]
    assert f"  failed    hall ({VPC})" in lines
    assert not kept(event_file).exists()


@pytest.mark.parametrize("command", ["preview", "up", "refresh", "destroy"])
def test_without_the_pulumi_program_a_command_says_how_to_get_it_and_that_local_works_without(
    command: str, event_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    options = {"yes": True} if command == "destroy" else {}

    ends_with(2, lambda: getattr(provisioning, command)(Context(), **options))

    first, hint = capsys.readouterr().err.splitlines()
    assert first == "error: the pulumi command is not on PATH"
    assert "pulumi.com/docs/install" in hint
    assert "--local" in hint


@pytest.mark.parametrize(
    ("refuses", "code", "line"),
    [
        (
            "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions",
            2,
            "error: pulumi is not logged in",
        ),
        (
            "error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE environment "
            "variables",
            2,
            "error: the passphrase of the stack iris is not given",
        ),
        (
            "error: the stack is currently locked by 1 lock(s).",
            1,
            "error: another update of the stack iris is in progress",
        ),
    ],
)
def test_a_pulumi_that_is_not_ready_is_one_line_and_a_hint(
    pulumi: Pulumi, event_file: Path, capsys: Printed, refuses: str, code: int, line: str
) -> None:
    pulumi.script(refuses=refuses)

    ends_with(code, up)

    told = capsys.readouterr().err.splitlines()
    assert told[-2] == line
    assert told[-1].startswith("hint: ")
    assert "Traceback" not in "".join(told)


def test_a_program_too_old_for_the_api_is_refused(pulumi: Pulumi, event_file: Path, capsys: Printed) -> None:
    pulumi.script(version="v2.25.0")

    ends_with(2, up)

    assert "Please update the Pulumi CLI" in capsys.readouterr().err


def test_a_secret_among_the_outputs_is_kept_nowhere(pulumi: Pulumi, event_file: Path, capsys: Printed) -> None:
    pulumi.script(masked=OUTPUTS | {"vpc_id": "[secret]"})

    ends_with(1, up)

    assert "the program exports a secret: vpc_id" in capsys.readouterr().err
    assert not kept(event_file).exists()


def test_preview_gives_its_changes_as_json_and_makes_none(pulumi: Pulumi, event_file: Path, capsys: Printed) -> None:
    planned = [begins("same", "old", planning=True), begins("create", "attic", BUCKET, planning=True)]
    pulumi.script(preview={"events": [*planned, summary(create=1, same=1), END]})

    provisioning.preview(Context(), json=True)

    printed = capsys.readouterr()
    assert json.loads(printed.out) == [{"action": "created", "name": "attic", "type": BUCKET}]
    assert "would be 1 created, 1 unchanged" in printed.err
    assert "up" not in pulumi.asked
    assert not kept(event_file).exists()


def test_preview_of_a_stack_that_is_up_to_date_says_so(pulumi: Pulumi, event_file: Path, capsys: Printed) -> None:
    provisioning.preview(Context())

    assert capsys.readouterr().out == "would be: nothing, all is as declared\n"


def test_refresh_says_what_is_gone(pulumi: Pulumi, event_file: Path, capsys: Printed) -> None:
    pulumi.has_stack()
    pulumi.script(refresh={"events": [begins("refresh", "hall"), ends("delete", "hall"), summary(delete=1), END]})

    provisioning.refresh(Context())

    assert f"forgotten hall ({VPC}, 3 s)" in capsys.readouterr().err


def test_refresh_of_a_stack_nobody_knows_is_asked_wrongly(pulumi: Pulumi, event_file: Path, capsys: Printed) -> None:
    ends_with(2, lambda: provisioning.refresh(Context()))

    assert "pulumi knows no stack iris" in capsys.readouterr().err
    assert pulumi.asked == ["stack select"]


def test_destroy_forgets_the_outputs_and_twice_is_fine(pulumi: Pulumi, event_file: Path, capsys: Printed) -> None:
    up()
    assert kept(event_file).exists()

    provisioning.destroy(Context(), yes=True)
    provisioning.destroy(Context(), yes=True)

    assert not kept(event_file).exists()
    assert pulumi.asked.count("destroy") == 2
    assert capsys.readouterr().out.count("stack iris is gone") == 2


def test_destroy_of_a_stack_that_never_was_is_fine(pulumi: Pulumi, event_file: Path, capsys: Printed) -> None:
    provisioning.destroy(Context(), yes=True)

    assert "pulumi knows no stack iris" in capsys.readouterr().err
    assert "destroy" not in pulumi.asked


def test_outputs_of_a_plain_pulumi_up_are_asked_of_the_program(
    pulumi: Pulumi, event_file: Path, capsys: Printed
) -> None:
    provisioning.outputs(Context(), json=True)

    assert json.loads(capsys.readouterr().out)["vpc_id"] == "vpc-1"
    assert pulumi.call("output")["argv"] == [*("--non-interactive", "stack", "output", "--json", "--stack", "iris")]


def test_up_asks_the_preflight_first_and_deploys_nothing_where_it_refuses(
    pulumi: Pulumi, event_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    from contracts.errors import RampartError

    def refuse(event: object, local: bool) -> None:
        raise RampartError("no such instance type")

    monkeypatch.setattr("tasks.preflight.refuse_on_errors", refuse)

    ends_with(1, lambda: provisioning.up(Context()))

    assert "no such instance type" in capsys.readouterr().err
    assert pulumi.calls == []


def test_after_up_the_gateway_is_made_known(pulumi: Pulumi, event_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known: list[str] = []
    monkeypatch.setattr("tasks.gateway.ensure_known", lambda _, outputs: known.append(outputs.gateway_id))
    pulumi.script(outputs=OUTPUTS | {"access": "gateway", "gateway_id": "i-1"})

    up()

    assert known == ["i-1"]


def test_a_declared_secret_without_a_value_is_warned_of(
    pulumi: Pulumi, event_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    text = event_file.read_text("utf-8") + "  secrets:\n    osf: token of the data\n    other-one: another\n"
    event_file.write_text(text, encoding="utf-8")
    monkeypatch.setattr(stack, "REPOSITORY", tmp_path)
    (tmp_path / "Pulumi.iris.yaml").write_text("config:\n  rampart:secret-osf:\n    secure: v1:x\n", encoding="utf-8")

    up()

    told = capsys.readouterr().err
    assert "the secret other-one has no value" in told
    assert "pulumi config set --secret secret-other-one --stack iris" in told
    assert "the secret osf" not in told
