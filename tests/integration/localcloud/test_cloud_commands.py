"""`python -m localcloud` as a person uses it, with clients that know nothing of it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from localcloud.machines import Level
from localcloud.machines.probe import why_not
from tests.integration.clouds import UBUNTU, client_of

COMMAND = [sys.executable, "-m", "localcloud"]


@contextmanager
def running(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """A cloud in a process of its own, with the environment it printed; ended at the latest here."""
    command = [*COMMAND, "--folder", str(folder), "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert process.stderr is not None
            assert line, process.stderr.read()
            yield process, json.loads(line)
        finally:
            process.terminate()
            process.communicate(timeout=30)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def processes_that_name(text: str) -> list[str]:
    """Command lines and environments of other processes that hold a text."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            said = (entry / "cmdline").read_bytes() + b"\0" + (entry / "environ").read_bytes()
        except OSError:
            continue
        if text.encode() in said and entry.name != str(os.getpid()):
            found.append(said.decode(errors="replace"))
    return found


@pytest.mark.parametrize("level", list(Level))
def test_strange_clients_work_with_the_printed_environment_and_nothing_stays(level: Level, tmp_path: Path) -> None:
    if reason := why_not(level):
        pytest.skip(f"level {level} cannot be had here: {reason}")
    folder = tmp_path / "cloud"
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    with running(folder, "--level", level) as (process, environment):
        ec2, ssm = client_of(environment, "ec2"), client_of(environment, "ssm")
        ec2.import_key_pair(KeyName="mine", PublicKeyMaterial=key.with_suffix(".pub").read_bytes())
        image = ssm.get_parameter(Name=UBUNTU)["Parameter"]["Value"]
        launched = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, KeyName="mine")
        address = launched["Instances"][0]["PublicIpAddress"]
        shell = (
            f'eval "$({" ".join(COMMAND)} env --folder {folder})" && '
            f'ssh -F "$RAMPART_SSH_CONFIG" -i {key} -o IdentitiesOnly=yes {address} '
            "'setsid sleep 987 >/dev/null 2>&1 </dev/null & echo here'"
        )
        done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=60, check=False)
        assert (done.stdout, done.returncode) == ("here\n", 0), done.stderr
        status = json.loads(run("status", "--json", "--folder", str(folder)).stdout)
        assert (status["pid"], status["level"]) == (process.pid, level)
        assert run("stop", "--folder", str(folder)).returncode == 0
        assert process.wait(30) == 0
    assert processes_that_name(str(folder)) == []
    assert processes_that_name("sleep\0987") == []
    assert [path.name for path in folder.iterdir()] == ["lock"]


def test_a_second_cloud_in_the_same_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    with running(tmp_path, "--level", "plain") as (_, environment):
        assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600
        second = run("--folder", str(tmp_path))
        assert second.returncode == 2
        assert second.stderr.startswith("error: a local cloud is already running in")
        assert second.stderr.count("\n") == 1
        port = environment["AWS_ENDPOINT_URL"].rpartition(":")[2]
        taken = run("--folder", str(tmp_path / "other"), "--port", port, "--level", "plain")
        assert taken.returncode == 2
        assert f"error: port {port} cannot be taken" in taken.stderr
        unknown = run("lose", "i-0", "--folder", str(tmp_path))
        assert unknown.returncode == 1
        assert unknown.stderr.startswith("error: no running instance i-0")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_cloud_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    with running(tmp_path, "--level", "plain") as (process, _):
        process.send_signal(number)
        assert process.wait(30) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_killed_cloud_is_not_found_and_its_folder_serves_again(tmp_path: Path) -> None:
    with running(tmp_path) as (process, environment):
        image = client_of(environment, "ssm").get_parameter(Name=UBUNTU)["Parameter"]["Value"]
        client_of(environment, "ec2").run_instances(ImageId=image, MinCount=1, MaxCount=1)
        process.kill()
        process.wait(30)
    assert run("env", "--folder", str(tmp_path)).returncode == 1
    with running(tmp_path, "--level", "plain"):
        assert run("env", "--folder", str(tmp_path)).returncode == 0


def test_faults_are_injected_listed_and_undone_by_commands(tmp_path: Path) -> None:
    folder = tmp_path / "cloud"
    with running(folder, "--level", "plain") as (_, variables):
        here = ("--folder", str(folder))
        begun = run("inject", "throttle", "--action", "DescribeKeyPairs", "--count", "1", *here)
        assert begun.returncode == 0, begun.stderr
        assert begun.stdout.splitlines()[-1] == "end it: python -m localcloud inject undo fault-1"
        assert "throttle" in run("inject", "list", *here).stdout
        undone = run("inject", "undo", "fault-1", *here)
        assert undone.returncode == 0, undone.stderr
        assert json.loads(run("inject", "list", "--json", *here).stdout) == []
        client_of(variables, "ec2").describe_key_pairs()
        assert json.loads(run("calls", "--json", *here).stdout)["DescribeKeyPairs"] == 1
        again = run("inject", "undo", "fault-1", *here)
        assert (again.returncode, again.stdout) == (1, "")
        assert again.stderr.startswith("error: no fault fault-1")
