"""Scripts run as root on a machine to their end or their deadline, and leave nothing behind."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clients.local import LocalTransport
from contracts.errors import CommandFailed, HostUnreachable
from imagebuilder.running.machine import Machine, ScriptLost, TimeIsUp
from imagebuilder.running.output import Output, Stream

if TYPE_CHECKING:
    from tests.unit.imagebuilder.running.conftest import Bench


def run(bench: Bench, script: str, *, within_s: float | None = 60.0) -> int:
    deadline = None if within_s is None else time.monotonic() + within_s
    return bench.machine.run(script, Output(bench.log.append), deadline=deadline)


def is_alive(pid: int) -> bool:
    """A zombie, whose parent has not looked yet, is not."""
    if not Path("/proc/self/stat").exists():
        pytest.skip("this system does not tell which processes live")
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_exit_code_and_both_outputs_come_back(bench: Bench) -> None:
    assert run(bench, "echo out; echo wrong >&2; exit 3") == 3
    assert sorted(bench.log) == ["Stderr: wrong", "Stdout: out"]


def test_a_signal_s_end_is_128_and_more(bench: Bench) -> None:
    assert run(bench, "kill -TERM $$") == 128 + 15


def test_a_line_is_logged_while_the_script_runs(bench: Bench) -> None:
    # the script goes on only when its first line has been seen
    gate = bench.home / "gate"

    def log(line: str) -> None:
        bench.log.append(line)
        gate.touch()

    script = f"echo first; until [ -e {gate} ]; do sleep 0.01; done; echo second"
    assert bench.machine.run(script, Output(log), deadline=time.monotonic() + 20) == 0
    assert bench.log == ["Stdout: first", "Stdout: second"]


def test_output_that_looks_like_an_end_is_output(bench: Bench) -> None:
    assert run(bench, r"printf 'x 0\n\036 0\n'; cat /proc/$PPID/cmdline | tr '\0' '\n' | tail -n 1; exit 7") == 7
    assert bench.log[0] == "Stdout: x 0"


def test_no_traces_of_a_login_reach_a_script_and_no_terminal_asks(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert run(bench, "env; umask; if read -r line; then echo read; fi") == 0
    assert not [line for line in bench.log if "secret" in line or "SSH_" in line or "SUDO_" in line]
    assert bench.log[-1] == "Stdout: 0022"


def test_a_script_is_no_argument_of_a_process(bench: Bench) -> None:
    assert run(bench, "secret=hunter2; cat /proc/[0-9]*/cmdline 2> /dev/null | tr '\\0' ' ' | grep -c '[h]unter2'") == 1
    assert bench.log == ["Stdout: 0"]


def test_a_deadline_ends_all_that_a_script_has_started(bench: Bench) -> None:
    pids = bench.home / "pids"
    script = f"""
    note() {{ echo $BASHPID >> {pids}; exec sleep 100; }}
    note &
    (note &)
    export -f note; export pids
    setsid bash -c 'note' &
    env -u RAMPART_SCRIPT setsid bash -c 'note; :' &
    until [ "$(wc -l < {pids})" -ge 4 ]; do sleep 0.01; done
    echo ready
    note
    """
    with pytest.raises(TimeIsUp):
        run(bench, script, within_s=2)
    assert bench.log == ["Stdout: ready"]
    started = [int(line) for line in pids.read_text().split()]
    assert len(started) == 5
    # a killed process may take a moment to die
    until = time.monotonic() + 5
    while any(map(is_alive, started)) and time.monotonic() < until:
        pass
    assert [pid for pid in started if is_alive(pid)] == []


def test_a_deadline_that_has_passed_starts_nothing(bench: Bench) -> None:
    with pytest.raises(TimeIsUp):
        run(bench, f"touch {bench.home}/started", within_s=0)
    assert not (bench.home / "started").exists()


def test_a_daemon_goes_on_and_is_not_waited_for(bench: Bench) -> None:
    assert run(bench, f"sleep 100 & echo $! > {bench.home}/pid; echo started", within_s=None) == 0
    pid = int((bench.home / "pid").read_text())
    assert bench.log == ["Stdout: started"]
    assert is_alive(pid)
    os.kill(pid, 9)


def test_megabytes_are_read_to_their_end(bench: Bench) -> None:
    assert run(bench, "head -c 5000000 /dev/zero | tr '\\0' x; seq 200000 >&2; exit 4") == 4
    assert sum(line.startswith("Stdout: xxx") for line in bench.log) > 1000


def test_whoever_loses_interest_ends_the_script(bench: Bench) -> None:
    def log(line: str) -> None:
        bench.log.append(line)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.machine.run("echo $$; sleep 100", Output(log), deadline=None)
    assert not is_alive(int(bench.log[0].removeprefix("Stdout: ")))


def test_an_interrupt_in_what_reads_the_errors_ends_the_script_too(bench: Bench) -> None:
    def log(line: str) -> None:
        bench.log.append(line)
        raise ValueError("the log is full")

    with pytest.raises(ValueError, match="full"):
        bench.machine.run("echo $$ >&2; sleep 100", Output(log), deadline=None)
    assert not is_alive(int(bench.log[0].removeprefix("Stderr: ")))


def test_a_script_that_kills_what_runs_it_is_lost(bench: Bench) -> None:
    with pytest.raises(ScriptLost, match="without an exit code"):
        run(bench, "kill -KILL $PPID")
    assert run(bench, "echo the next works") == 0


def test_a_script_may_clear_the_folder_for_temporary_files(bench: Bench, tmp_path: Path) -> None:
    assert run(bench, 'rm -rf "$TMPDIR"/*; pwd') == 0
    assert run(bench, "pwd") == 0
    assert bench.log == [f"Stdout: {tmp_path}/tmp"] * 2


def test_nothing_is_left_when_the_machine_is_left(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    with Machine(LocalTransport(bench.home)) as machine:
        assert machine.run("true", Output(None), deadline=None) == 0
        assert [path.name[:8] for path in folder.iterdir()] == ["rampart."]
        assert [path.name for path in next(folder.iterdir()).iterdir()] == ["supervise"]
    assert list(folder.iterdir()) == []


def test_a_disk_without_room_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(bench.home / "none"))
    with pytest.raises(CommandFailed, match="No such file or directory"):
        run(bench, "true")


def test_the_working_directory_is_where_a_script_starts(bench: Bench) -> None:
    with Machine(LocalTransport(bench.home), working_directory="/usr") as machine:
        machine.run("pwd", output := Output(None), deadline=None)
        assert output.stdout == b"/usr\n"


def stand_in(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_another_user_than_root_takes_sudo(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(bench.home, "id", "echo 1000")
    stand_in(bench.home, "sudo", 'printf "%s " "$1" >> "$HOME/calls"; shift; exec "$@"')
    monkeypatch.setenv("PATH", f"{bench.home}:{os.environ['PATH']}")
    assert run(bench, "echo done; exit 2") == 2
    assert set((bench.home / "calls").read_text().split()) == {"-n"}


def test_a_user_who_may_not_become_root_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(bench.home, "id", "echo 1000")
    stand_in(bench.home, "sudo", "echo 'sudo: a password is required' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{bench.home}:{os.environ['PATH']}")
    with pytest.raises(CommandFailed, match="a password is required") as raised:
        run(bench, "true")
    assert "sudo without a password" in raised.value.hint


def test_files_go_there_and_come_back(bench: Bench) -> None:
    content = os.urandom(300_000)
    assert bench.machine.put(f"{bench.home}/it's", iter([content[:7], content[7:]]), deadline=None) == ""
    with bench.machine.get(f"{bench.home}/it's", deadline=None) as chunks:
        assert b"".join(chunks) == content
    assert "No such file" in bench.machine.put(f"{bench.home}/none/x", iter([b""]), deadline=None)
    with pytest.raises(CommandFailed), bench.machine.get(f"{bench.home}/none", deadline=None) as chunks:
        list(chunks)


def test_the_login_user_s_home_is_what_the_machine_says(bench: Bench) -> None:
    assert bench.machine.login_home() == str(bench.home)


def test_a_machine_nobody_can_restart_says_so(bench: Bench) -> None:
    with Machine(LocalTransport(bench.home)) as machine, pytest.raises(ScriptLost, match="cannot be restarted"):
        machine.restart()


def test_a_lost_machine_is_not_a_failed_script(bench: Bench) -> None:
    transport = LocalTransport(bench.home)
    machine = Machine(transport)

    def log(line: str) -> None:
        bench.log.append(line)
        transport.close()

    with pytest.raises(HostUnreachable):
        machine.run("echo $$; exec sleep 100", Output(log), deadline=None)
    os.kill(int(bench.log[0].removeprefix(f"{Stream.STDOUT}: ")), 9)
