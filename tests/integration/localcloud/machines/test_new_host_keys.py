"""A machine makes itself a new SSH host key, as an EC2 instance does, and whoever serves SSH for it hears of that."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from localcloud.host_keys import on_disk, settle
from localcloud.machines import Level, Machine, MachineRoom
from runner.hosts.rotating import MAKE_KEY, key_in, take_key
from tests.contract import reachable
from tests.integration.localcloud.machines.conftest import Inside, Result, need

SHOWN = "cd /etc/ssh && ls ssh_host_* rampart* 2>/dev/null; cut -d ' ' -f 1,2 ssh_host_ed25519_key.pub"
KEY_FILES = ["ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"]
_PATIENCE_S = 30


@pytest.fixture(params=[Level.FULL, Level.USER])
def level(request: pytest.FixtureRequest) -> Level:
    """The levels whose machines have an /etc of their own."""
    chosen: Level = request.param
    need(chosen)
    return chosen


@pytest.fixture
def told() -> Event:
    """Set when the machine's SSH server is told to read its files again."""
    return Event()


@pytest.fixture
def with_files(room: MachineRoom, told: Event) -> Machine:
    """A machine with files of its own and a host key that somebody else knows, beside one of another kind."""
    machine = room.create("i-0123", image_id=None, login_user="ubuntu", on_reload=told.set)
    settle(machine, "known to others\n", "known to others", is_given=True, keeps_images=False)
    machine.run_as_root(["touch", "/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_rsa_key.pub"], "make keys")  # type: ignore[attr-defined]
    return machine


def on(machine: Machine, inside: Inside, command: tuple[str, ...], *, user: str = "ubuntu", path: str = "") -> Result:
    """Run a command there as the login user would over SSH."""
    setting = f"export PATH={path}; " if path else ""
    return inside(machine, f"{setting}exec {shlex.join(command)}", user=user)


def test_the_login_user_has_the_machine_make_a_key_and_then_show_it_alone(
    with_files: Machine, told: Event, inside: Inside
) -> None:
    made = on(with_files, inside, MAKE_KEY)
    own_key = key_in(made.stdout)
    assert own_key is not None, made.stderr
    assert on(with_files, inside, MAKE_KEY).stdout == made.stdout  # an adopter is told the same one
    assert on_disk(with_files) == "known to others\n"
    assert not told.is_set()

    taken = on(with_files, inside, take_key(own_key))
    assert taken.returncode == 0, taken.stderr
    assert told.wait(_PATIENCE_S)
    assert inside(with_files, SHOWN).stdout.splitlines() == [*KEY_FILES, own_key]
    private = inside(with_files, "ssh-keygen -y -f /etc/ssh/ssh_host_ed25519_key", user="root")
    assert private.stdout.strip() == own_key
    assert inside(with_files, "stat -c %a /etc/ssh/ssh_host_*", user="root").stdout.split() == ["600", "644"]

    told.clear()
    assert on(with_files, inside, take_key(own_key)).returncode == 0  # whoever was killed meanwhile asks again
    assert told.wait(_PATIENCE_S)
    other = on(with_files, inside, take_key(own_key.replace("AAAA", "BBBB")))
    assert (other.returncode, other.stderr.strip()) == (1, "the new key is not there")


def test_only_root_has_the_ssh_server_read_its_files(
    level: Level, with_files: Machine, told: Event, inside: Inside
) -> None:
    if level is not Level.FULL:
        pytest.skip("at the level user everybody inside is one user outside")
    for command in ("systemctl reload ssh", "kill -HUP 1"):
        assert inside(with_files, command, user="nobody").returncode != 0
    assert not told.is_set()
    assert inside(with_files, "sudo -n systemctl reload sshd").returncode == 0
    assert told.wait(_PATIENCE_S)


def patient(condition: str) -> str:
    """A line of shell that waits until something is so, for ten seconds at most."""
    return f"for try in $(seq 200); do {condition} && break; sleep 0.05; done"


def test_openssh_takes_the_new_key_where_no_service_manager_can_be_asked(tmp_path: Path, inside: Inside) -> None:
    need(Level.FULL)
    if reachable.openssh_missing():
        pytest.skip(reachable.openssh_missing())
    old = tmp_path / "old"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(old)], check=True)
    with MachineRoom(tmp_path / "room", level=Level.FULL, environment=Path(sys.prefix)) as room:
        machine = room.create("i-0123", image_id=None, login_user="ubuntu")
        public = old.with_suffix(".pub").read_text().strip()
        settle(machine, old.read_text(), public, is_given=True, keeps_images=False)
        started = inside(
            machine, f"{reachable.SSHD} -E /tmp/log; {patient('test -s /run/sshd.pid')}; cat /tmp/log", user="root"
        )
        scan = "ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null | cut -d ' ' -f 2,3"
        assert inside(machine, scan).stdout.split() == public.split()[:2], started.stdout

        real = "/usr/sbin:/usr/bin:/sbin:/bin"  # without the stand-ins
        own_key = key_in(on(machine, inside, MAKE_KEY, user="root", path=real).stdout)
        assert own_key is not None
        assert on(machine, inside, take_key(own_key), user="root", path=real).returncode == 0
        shown = f"[ \"$({scan})\" = '{own_key}' ]"
        assert inside(machine, f"{patient(shown)}; {shown}").returncode == 0


def test_a_machine_without_files_of_its_own_makes_no_key_and_leaves_those_around_it_alone(
    tmp_path: Path, inside: Inside
) -> None:
    folder = Path("/etc/ssh")
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*")}
    with MachineRoom(tmp_path / "room", level=Level.PLAIN, environment=Path(sys.prefix)) as room:
        machine = room.create("i-0123", image_id=None, login_user="ubuntu")
        made = on(machine, inside, MAKE_KEY)
        assert made.returncode != 0
        assert "this level has no /etc of its own" in made.stderr
        elsewhere = os.path.join(machine.home, "key")  # noqa: PTH118 - a path inside
        assert inside(machine, f"ssh-keygen -q -t ed25519 -N '' -f {elsewhere}").returncode == 0
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*")} == before
