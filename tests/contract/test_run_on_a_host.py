"""A run goes through push, launch, wait and pull on every kind of host."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients import ssh
from clients.local import LocalTransport
from contracts.errors import CommandFailed, HostUnreachable, TransferRefused
from contracts.work import Claimed, HostAddress, HostLayout, JobEnd, Launched, Provisioned, Pulled, Work
from runner.ports import Transport
from runner.stages import clean_up, launch, pull, push, wait
from tests.contract.reachable import SshHost

NOW = datetime(2026, 1, 1, tzinfo=UTC)

HONEST = """
import pathlib, sys
place = pathlib.Path(sys.argv[sys.argv.index("--ramp-submission-dir") + 1], sys.argv[2])
print((place / "classifier.py").read_text())
for fold in range(20):
    output = place / "training_output" / f"fold_{fold}"
    output.mkdir(parents=True)
    (output / "y_pred_train.npz").write_bytes(bytes(range(256)) * 100)
    (output / "state.txt").write_text("scored")
"""
SLOW = HONEST + "import time; time.sleep(1)\n"
LINKS = HONEST + "(place / 'training_output' / 'secret').symlink_to('/etc/passwd')\n"
RAISES = "print('no output folder'); raise SystemExit(1)\n"


class Setting:
    """A host with a stand-in for ramp-test, and one submission to run on it."""

    def __init__(self, connect: Callable[[], Transport], folder: Path) -> None:
        self.connect = connect
        submission = folder / "submission"
        submission.mkdir()
        (submission / "classifier.py").write_text("# the team's code ✓\n")
        here = HostAddress("the-host", "127.0.0.1", "ubuntu")
        # a number no other run of the tests has at the same time: jobs are told apart by it on the whole machine
        number = secrets.randbelow(10**9)
        work = Work(number, "iris", "team", "s", 1, submission, folder / "logs", folder / "predictions", 30.0)
        kit = folder / "kit"
        kit.mkdir()
        self._ramp_test = folder / "prefix" / "bin" / "ramp-test"
        self._ramp_test.parent.mkdir(parents=True)
        layout = HostLayout(str(kit), str(kit), sys.executable, str(self._ramp_test), is_ours=False)
        self.provisioned = Provisioned(Claimed(work, NOW), here, layout)

    def launched(self, program: str, transport: Transport) -> Launched:
        self._ramp_test.write_text(f"#!{sys.executable}\n{program}")
        self._ramp_test.chmod(0o755)
        return launch.launch(push.push(self.provisioned, transport), transport, lambda: NOW)

    def ran(self, program: str, transport: Transport) -> Pulled:
        return pull.pull(wait.wait(self.launched(program, transport), transport), transport)


@pytest.fixture(params=["local", "asyncssh", "openssh"])
def setting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Setting]:
    if request.param == "local":
        made = Setting(lambda: LocalTransport(tmp_path), tmp_path)
    else:
        hosts: dict[str, SshHost] = request.getfixturevalue("ssh_hosts")
        if request.param not in hosts:
            pytest.skip("/usr/sbin/sshd is missing (package openssh-server)")
        made = Setting(lambda: ssh.connect(hosts[request.param].address), tmp_path)
    yield made
    transport = made.connect()
    clean_up.clean_up(made.provisioned, transport)
    transport.close()


@pytest.fixture
def transport(setting: Setting) -> Iterator[Transport]:
    opened = setting.connect()
    yield opened
    opened.close()


def test_log_and_output_of_a_run_come_home(setting: Setting, transport: Transport) -> None:
    pulled = setting.ran(HONEST, transport)
    assert (pulled.finished.exit.end, pulled.finished.exit.code) == (JobEnd.EXITED, 0)
    assert "the team's code ✓" in pulled.log_path.read_text()
    assert pulled.output_dir is not None
    assert (pulled.output_dir / "fold_19" / "y_pred_train.npz").read_bytes() == bytes(range(256)) * 100
    work = setting.provisioned.claimed.work
    assert [path.name for path in work.predictions_dir.iterdir()] == [work.submission_key]
    assert [path.name for path in (work.logs_dir / work.submission_key).iterdir()] == ["log"]


def test_a_run_without_output_brings_its_log(setting: Setting, transport: Transport) -> None:
    pulled = setting.ran(RAISES, transport)
    assert (pulled.finished.exit.code, pulled.output_dir) == (1, None)
    assert pulled.log_path.read_text() == "no output folder\n"


def test_hostile_output_is_refused_and_the_log_comes_all_the_same(setting: Setting, transport: Transport) -> None:
    with pytest.raises(TransferRefused, match="neither a regular file nor a folder"):
        setting.ran(LINKS, transport)
    work = setting.provisioned.claimed.work
    assert "the team's code" in (work.logs_dir / work.submission_key / "log").read_text()
    assert list(work.predictions_dir.iterdir()) == []


def test_pulling_twice_replaces_and_leaves_nothing_else(setting: Setting, transport: Transport) -> None:
    pulled = setting.ran(HONEST, transport)
    again = pull.pull(pulled.finished, transport)
    assert again == pulled
    assert pulled.output_dir is not None
    assert [path.name for path in pulled.output_dir.parent.iterdir()] == [pulled.output_dir.name]


def test_an_attempt_is_pushed_once_and_launched_once(setting: Setting, transport: Transport) -> None:
    launched = setting.launched(HONEST, transport)
    with pytest.raises(CommandFailed, match="already"):
        push.push(setting.provisioned, transport)
    assert launch.launch(launched.pushed, transport, lambda: NOW) == launched
    log = pull.pull(wait.wait(launched, transport), transport).log_path.read_text()
    assert log.count("the team's code") == 1


def test_a_run_goes_on_while_nobody_is_connected(setting: Setting) -> None:
    first = setting.connect()
    launched = setting.launched(SLOW, first)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait.wait, launched, first)
        first.close()
        with pytest.raises(HostUnreachable):
            waiting.result(5)
    second = setting.connect()
    assert pull.pull(wait.wait(launched, second), second).output_dir is not None
    second.close()


def test_cleaning_up_removes_the_job_and_its_folder(setting: Setting, transport: Transport) -> None:
    launched = setting.launched("import time; time.sleep(60)", transport)
    clean_up.clean_up(setting.provisioned, transport)
    assert transport.run(["ls", launched.pushed.job_dir]).exit_code != 0
    clean_up.clean_up(setting.provisioned, transport)


def test_another_attempt_has_a_folder_of_its_own(setting: Setting, transport: Transport) -> None:
    pushed = push.push(setting.provisioned, transport)
    work = replace(setting.provisioned.claimed.work, attempt=2)
    other = replace(setting.provisioned, claimed=Claimed(work, NOW))
    assert push.push(other, transport).job_dir != pushed.job_dir
    clean_up.clean_up(other, transport)
