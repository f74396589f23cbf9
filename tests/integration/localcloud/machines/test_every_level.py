"""What is true of a machine at every level."""

from __future__ import annotations

import hashlib
import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.errors import AskedWrongly, HostGone
from localcloud.machines import Level, Machine, MachineRoom

Inside = Callable[..., subprocess.CompletedProcess[str]]

INSTALLING = """
apt-get update && apt-get install -y rampart-no-such-package
sudo useradd --create-home --shell /bin/bash rampart-nobody
sudo systemctl enable --now rampart-nothing
sudo sh -c 'echo mark >/etc/rampart-test-mark'
echo mark >"$HOME/rampart-test-mark"
mkdir -p /home/ubuntu && echo mark >/home/ubuntu/rampart-test-mark
true
"""


def fingerprint_of_this_machine() -> tuple[object, ...]:
    files = (Path("/etc/passwd"), Path("/etc/group"), Path("/var/lib/dpkg/status"))
    digests = tuple(hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "" for path in files)
    marks = (Path("/etc/rampart-test-mark"), Path.home() / "rampart-test-mark")
    return (*digests, sorted(Path("/home").iterdir()), [mark.exists() for mark in marks])


@pytest.mark.parametrize("shell", [("sh", "-c"), ("bash", "-lc")], ids=["shell", "login-shell"])
def test_a_script_that_installs_and_adds_users_leaves_this_machine_untouched(
    machine: Machine, inside: Inside, level: Level, shell: tuple[str, ...]
) -> None:
    if level is Level.PLAIN and os.geteuid() == 0:
        script = "\n".join(line for line in INSTALLING.splitlines() if "/etc/" not in line and "/home/u" not in line)
    else:
        script = INSTALLING
    before = fingerprint_of_this_machine()
    inside(machine, script, through=shell)
    assert fingerprint_of_this_machine() == before
    asked = [call[0] for call in machine.recorded_calls()]
    assert {"apt-get", "sudo", "systemctl"} <= set(asked)


def test_the_python_of_the_environment_runs_inside(machine: Machine, inside: Inside) -> None:
    done = inside(machine, f"{sys.executable} -c 'import numpy; print(numpy.ones(3).sum())'")
    assert (done.returncode, done.stdout) == (0, "3.0\n"), done.stderr


def test_a_command_runs_at_home_with_its_exit_code(machine: Machine, inside: Inside) -> None:
    done = inside(machine, 'echo "$PWD $HOME $USER"; exit 7')
    assert (done.returncode, done.stdout.split()) == (7, [machine.home, machine.home, "ubuntu"])


def test_variables_and_words_arrive_as_they_are(machine: Machine) -> None:
    spawn = machine.spawn(
        ["sh", "-c", 'printf "%s|" "$GREETING" "$@"', "sh", "a b", "$x", ""], user="ubuntu", env={"GREETING": "a 'b'\n"}
    )
    done = subprocess.run(spawn.argv, env=spawn.env, cwd=spawn.cwd, capture_output=True, text=True, check=True)
    assert done.stdout == "a 'b'\n|a b|$x||"


def test_an_image_carries_files_links_and_modes(room: MachineRoom, machine: Machine, inside: Inside) -> None:
    assert (
        inside(machine, "echo 1 >~/kit; chmod 640 ~/kit; ln -s ~/kit ~/link; echo 2 >~/gone; rm ~/gone").returncode == 0
    )
    room.snapshot(machine, "ami-1")
    assert inside(machine, "echo changed >~/kit").returncode == 0
    machine.destroy()
    other = room.create("i-0456", image_id="ami-1", login_user="ubuntu")
    done = inside(other, 'cat "$(readlink ~/link)"; stat -c %a ~/kit; test ! -e ~/gone')
    assert (done.returncode, done.stdout.split()) == (0, ["1", "640"])


def test_machines_of_one_image_do_not_see_each_other(room: MachineRoom, machine: Machine, inside: Inside) -> None:
    room.snapshot(machine, "ami-1")
    first, second = (room.create(f"i-{n}", image_id="ami-1", login_user="ubuntu") for n in (1, 2))
    room.forget_image("ami-1")
    assert inside(first, "echo mine >~/mine").returncode == 0
    assert inside(second, "test ! -e ~/mine && echo yours >~/yours").returncode == 0
    assert inside(first, "cat ~/mine; test ! -e ~/yours").stdout == "mine\n"


def test_an_image_of_an_image_has_the_changes_of_both(room: MachineRoom, machine: Machine, inside: Inside) -> None:
    for number, name in enumerate(("ami-1", "ami-2")):
        assert inside(machine, f"echo {number} >~/step-{number}").returncode == 0
        room.snapshot(machine, name)
        machine.destroy()
        machine = room.create(f"i-{name}", image_id=name, login_user="ubuntu")
    assert inside(machine, "cat ~/step-0 ~/step-1").stdout.split() == ["0", "1"]


def test_a_stopped_machine_keeps_its_files_and_no_process(machine: Machine, inside: Inside) -> None:
    inside(machine, "echo kept >~/kept")
    spawn = machine.spawn(["sleep", "300"], user="ubuntu")
    with subprocess.Popen(spawn.argv, env=spawn.env, cwd=spawn.cwd, start_new_session=True) as sleeper:
        machine.stop()
        assert sleeper.wait(timeout=10) != 0
    with pytest.raises(HostGone):
        machine.spawn(["true"], user="ubuntu")
    machine.start()
    assert inside(machine, "cat ~/kept").stdout == "kept\n"


@pytest.mark.parametrize(
    "command", ["shutdown -h now", "sudo shutdown -h now", "sudo poweroff", "sudo systemctl poweroff"]
)
def test_shutdown_inside_ends_that_instance_only(room: MachineRoom, inside: Inside, command: str) -> None:
    ended = threading.Event()
    doomed = room.create("i-1", image_id=None, login_user="ubuntu", on_shutdown=ended.set)
    other = room.create("i-2", image_id=None, login_user="ubuntu")
    inside(doomed, command, user="ubuntu" if command.startswith("sudo") else "root")
    assert ended.wait(timeout=10)
    with pytest.raises(HostGone):
        doomed.spawn(["true"], user="ubuntu")
    assert inside(other, "echo alive").stdout == "alive\n"


def test_a_planned_shutdown_can_be_taken_back(machine: Machine, inside: Inside) -> None:
    done = inside(machine, "sudo shutdown -h +60 && sudo shutdown -c && echo alive")
    assert done.stdout == "alive\n"


def with_a_clock(machine: Machine, inside: Inside) -> str:
    """Give a script's first line after which `sleep` notes its seconds and ends when somebody writes to `clock`."""
    home = machine.home
    sleep = f'#!/bin/sh\necho "$1" >>{home}/slept\nread -r _ <{home}/clock\n'
    machine.write_file(f"{home}/fake/sleep", sleep.encode(), mode=0o755, owner="ubuntu")
    assert inside(machine, f"mkfifo {home}/clock", user="root").returncode == 0
    return f"PATH={home}/fake:$PATH; cd {home}; asleep() {{ while [ ! -s slept ]; do :; done; }}\n"


def test_a_shutdown_in_a_minute_comes_after_a_minute(room: MachineRoom, inside: Inside) -> None:
    ended = threading.Event()
    machine = room.create("i-1", image_id=None, login_user="ubuntu", on_shutdown=ended.set)
    clock = with_a_clock(machine, inside)
    planned = inside(machine, f"{clock}shutdown -h +1 && asleep && cat slept", user="root")
    assert planned.stdout == "60\n", planned.stderr
    assert not ended.is_set()
    inside(machine, f"{clock}echo a minute later >clock", user="root")
    assert ended.wait(timeout=10)


def test_a_new_plan_to_shut_down_takes_the_place_of_the_old_one(machine: Machine, inside: Inside) -> None:
    clock = with_a_clock(machine, inside)
    script = "shutdown +1 && asleep && : >slept && shutdown +08 && asleep && cat slept && shutdown -c"
    again = inside(machine, clock + script, user="root")
    assert again.stdout == "480\n", again.stderr
    # were one of them still there, it would hear this and shut down
    assert inside(machine, f"{clock}timeout 0.2 sh -c 'echo now >clock'; echo alive", user="root").stdout == "alive\n"


@pytest.mark.parametrize("time", ["+1x", "25:99", "soon"])
def test_a_time_nobody_understands_plans_nothing(machine: Machine, inside: Inside, time: str) -> None:
    done = inside(machine, f"shutdown -h {time}", user="root")
    assert (done.returncode, "does not understand" in done.stderr) == (1, True)


def test_a_machine_that_was_stopped_has_no_plan_to_take_back(machine: Machine, inside: Inside) -> None:
    """Its process number belongs to somebody else by then."""
    inside(machine, "shutdown -h +60", user="root")
    machine.stop()
    machine.start()
    kept = inside(machine, "cat ../../waiting /run/rampart-shutdown 2>/dev/null; shutdown -c", user="root")
    assert (kept.stdout, kept.returncode) == ("", 0)


def test_an_image_is_made_of_a_machine_while_files_come_and_go(
    room: MachineRoom, machine: Machine, inside: Inside
) -> None:
    busy = "for n in 1 2 3 4 5 6 7 8 9; do mkdir -p d/$n/a; echo x >d/$n/b; done; rm -rf d"
    script = f"cd; echo kept >kept; echo; while :; do {busy}; done"
    spawn = machine.spawn(["sh", "-c", script], user="ubuntu")
    with subprocess.Popen(spawn.argv, env=spawn.env, cwd=spawn.cwd, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        for number in range(5):
            room.snapshot(machine, f"image-{number}")
        machine.stop()
    copy = room.create("i-copy", image_id="image-4", login_user="ubuntu")
    assert inside(copy, "cat ~/kept").stdout == "kept\n"


def test_the_names_of_the_tools_asked_are_recorded_with_their_words(machine: Machine, inside: Inside) -> None:
    inside(machine, "sudo -n apt-get install -y 'two words' \"line\nbreak\"; systemctl daemon-reload")
    assert machine.recorded_calls() == [
        ["sudo", "-n", "apt-get", "install", "-y", "two words", "line\nbreak"],
        ["apt-get", "install", "-y", "two words", "line\nbreak"],
        ["systemctl", "daemon-reload"],
    ]


def test_sudo_takes_the_forms_scripts_use(machine: Machine, inside: Inside) -> None:
    forms = {
        "sudo -n -H sh -c 'echo $USER'": "root",
        "sudo -u ubuntu sh -c 'echo $USER'": "ubuntu",
        "sudo -nu ubuntu -- sh -c 'echo $USER'": "ubuntu",
        "X=1 sudo -E sh -c 'echo $X'": "1",
        "X=1 sudo sh -c 'echo ${X:-none}'": "none",
        "sudo X=2 sh -c 'echo $X'": "2",
        "sudo -i echo login": "login",
        "sudo sh -c 'exit 3'; echo $?": "3",
    }
    found = {form: inside(machine, form).stdout.strip() for form in forms}
    assert found == forms


def test_a_file_is_written_with_its_folders_mode_and_owner(machine: Machine, inside: Inside) -> None:
    path = f"{machine.home}/deep/er/file"
    machine.write_file(path, b"\x00data", mode=0o600, owner="ubuntu")
    done = inside(machine, f'stat -c "%a %s" {path}; touch {machine.home}/deep/mine && echo may')
    assert done.stdout.split() == ["600", "5", "may"]


def test_a_process_that_takes_too_much_memory_is_ended_alone(machine: Machine, inside: Inside) -> None:
    done = inside(machine, f"{sys.executable} -c 'x = bytearray(1 << 30); print(len(x))'")
    assert done.returncode != 0
    assert done.stdout == ""
    assert inside(machine, "echo alive").stdout == "alive\n"


def test_no_core_file_is_written(machine: Machine, inside: Inside) -> None:
    assert inside(machine, "ulimit -c").stdout == "0\n"


@pytest.mark.parametrize("escape", ["setsid", "setsid env -i", "setsid setsid"])
def test_nothing_survives_destroy(machine: Machine, inside: Inside, escape: str) -> None:
    mark = f"rampart-escapee-{os.getpid()}-{id(machine)}"
    waits = f"echo up >{machine.home}/up; exec -a {mark} sleep 300"
    done = inside(machine, f"mkfifo ~/up; ({escape} bash -c '{waits}' >/dev/null 2>&1 </dev/null &); cat ~/up")
    assert done.stdout == "up\n"
    looks = (processes_with(mark) for _ in range(100))  # it has no words in the moment of its exec
    alive = [os.pidfd_open(pid) for pid in next(filter(None, looks), [])]
    try:
        assert alive
        machine.destroy()
        assert all(select.select([fd], [], [], 0)[0] for fd in alive)
    finally:
        for fd in alive:
            os.close(fd)


def test_a_machine_of_an_unknown_image_is_refused(room: MachineRoom) -> None:
    with pytest.raises(AskedWrongly, match="no image ami-9"):
        room.create("i-1", image_id="ami-9", login_user="ubuntu")


def test_a_closed_room_leaves_nothing_in_its_folder(room: MachineRoom, machine: Machine, tmp_path: Path) -> None:
    room.snapshot(machine, "ami-1")
    room.close()
    assert list((tmp_path / "room").iterdir()) == []


def processes_with(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:  # it ended meanwhile
            continue
    return found


def test_a_frozen_machine_stands_still_and_goes_on_where_it_stood(machine: Machine) -> None:
    counting = "i=0; while :; do i=$((i+1)); echo $i; (setsid sleep 0.001 &); done"
    spawn = machine.spawn(["sh", "-c", counting], user="ubuntu")
    with subprocess.Popen(
        spawn.argv, env=spawn.env, cwd=spawn.cwd, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        until_said(process.stdout.fileno())
        machine.freeze()
        said(process.stdout.fileno())  # what it had said before it stood
        assert said(process.stdout.fileno()) == b""
        machine.thaw()
        until_said(process.stdout.fileno())
        machine.freeze()
        machine.destroy()
        assert process.wait(timeout=10) != 0


def said(fd: int) -> bytes:
    """All there is to read now."""
    read = b""
    while True:
        try:
            read += os.read(fd, 1 << 16)
        except BlockingIOError:
            return read


def until_said(fd: int) -> None:
    readable, _, _ = select.select([fd], [], [], 20)
    assert readable, "nothing is said"
