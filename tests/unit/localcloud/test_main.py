"""What the command line answers when no cloud runs, or when it is asked wrongly."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from localcloud import state
from localcloud.__main__ import main
from localcloud.injections import KINDS


@pytest.mark.parametrize("command", [["env"], ["status"], ["stop"], ["lose", "i-1"], ["inject", "list"], ["calls"]])
def test_without_a_running_cloud_the_answer_is_one_line_with_a_hint(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--folder", str(tmp_path / "none")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: no local cloud runs in")
    assert err.rstrip().endswith("(start one: python -m localcloud)")


def test_the_folder_may_stand_before_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claim = state.Claim(tmp_path)
    state.write(tmp_path, state.State(7, "plain", {"A": "b"}, "http://127.0.0.1:2", "secret"))
    assert main(["--folder", str(tmp_path), "env"]) == 0
    assert main(["env", "--folder", str(tmp_path), "--json"]) == 0
    claim.release()
    assert capsys.readouterr().out == 'export A=b\n{"A": "b"}\n'


@pytest.mark.parametrize(
    "argv", [["explode"], ["--port", "70000"], ["--level", "strong"], ["lose"], ["inject"], ["inject", "quota"]]
)
def test_a_wrong_call_is_refused_with_exit_code_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    assert "usage: python -m localcloud" in capsys.readouterr().err


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_fault_has_a_command_with_an_example_that_can_be_typed(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["inject", kind, "--help"])
    assert ended.value.code == 0
    example = " ".join(capsys.readouterr().out.split()).partition("example: python -m localcloud ")[2]
    assert main([*shlex.split(example), "--folder", str(tmp_path)]) == 1
    assert "no local cloud runs" in capsys.readouterr().err
