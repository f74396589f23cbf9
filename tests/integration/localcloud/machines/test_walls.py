"""What the levels full and user keep from a machine, and what only full gives it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from contracts.errors import HostGone
from localcloud.machines import Level, Machine, MachineRoom
from localcloud.machines.probe import why_not

Inside = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=[Level.FULL, Level.USER])
def level(request: pytest.FixtureRequest) -> Level:
    chosen: Level = request.param
    if why_not(chosen) is not None:
        pytest.skip(f"this machine cannot do the level {chosen}: {why_not(chosen)}")
    return chosen


@pytest.mark.parametrize("user", ["ubuntu", "root"])
def test_a_machine_reaches_no_loopback_service_of_this_one(machine: Machine, inside: Inside, user: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as service:
        port = service.getsockname()[1]
        done = inside(machine, f"echo hello >/dev/tcp/127.0.0.1/{port}", user=user, through=("bash", "-c"))
        assert done.returncode != 0
        assert "refused" in done.stderr


def test_what_is_the_users_own_is_not_visible(machine: Machine, inside: Inside, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    repository = Path(__file__).parents[4]
    hidden = [secret, repository / "pyproject.toml", Path.home() / ".bashrc", Path.home() / ".ssh"]
    for path in hidden:
        assert inside(machine, f"test ! -e {path}", user="root").returncode == 0, path
    on_the_way = {Path(sys.prefix).parts[2]} if Path(sys.prefix).is_relative_to("/home") else set()
    assert set(inside(machine, "ls /home", user="root").stdout.split()) == {"ubuntu"} | on_the_way


def test_the_environment_cannot_be_changed_from_inside(machine: Machine, inside: Inside) -> None:
    done = inside(machine, f"touch {sys.prefix}/bin/mark", user="root")
    assert "Read-only" in done.stderr
    assert not Path(sys.prefix, "bin", "mark").exists()


def test_root_inside_reaches_neither_kernel_nor_disks(machine: Machine, inside: Inside) -> None:
    attempts = {
        "change a kernel setting": "echo 1 >/proc/sys/vm/drop_caches",
        "make the settings writable": "mount -o remount,rw,bind /proc/sys && echo 1 >/proc/sys/vm/drop_caches",
        "make a disk device": "mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk",
        "see a disk device": "ls /dev/vd* /dev/sd* /dev/nvme* 2>/dev/null | grep .",
        "read the host's password hashes": "cat /etc/shadow | grep '[$]'",
        "see processes of this machine": f"ls /proc/{os.getpid()}/status && grep -q pytest /proc/{os.getpid()}/cmdline",
    }
    for what, script in attempts.items():
        assert inside(machine, script, user="root").returncode != 0, what


def test_metadata_can_be_served_at_its_real_address(machine: Machine, inside: Inside) -> None:
    server = machine.listen_inside(("169.254.169.254", 80))
    assert server is not None
    with server:
        spawn = machine.spawn(["bash", "-c", "cat </dev/tcp/169.254.169.254/80"], user="ubuntu")
        with subprocess.Popen(spawn.argv, env=spawn.env, stdout=subprocess.PIPE, text=True) as reader:
            server.settimeout(10)
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"i-0123\n")
            assert reader.communicate(timeout=10)[0] == "i-0123\n"


def test_a_stopped_command_does_not_delay_the_end_of_its_machine(machine: Machine) -> None:
    spawn = machine.spawn(["sh", "-c", "kill -STOP $$"], user="ubuntu")
    with subprocess.Popen(spawn.argv, env=spawn.env, start_new_session=True) as stopped:
        os.waitid(os.P_PID, stopped.pid, os.WSTOPPED | os.WNOWAIT)
        machine.destroy()
        assert stopped.wait(timeout=10) != 0


@pytest.fixture
def _hang_ups_are_heard() -> Iterator[None]:
    """What is started under nohup would ignore them, and so would all it starts."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("_hang_ups_are_heard")
@pytest.mark.parametrize("ending", [signal.SIGHUP, signal.SIGKILL])
def test_a_killed_session_leaves_no_trace_of_its_command(
    machine: Machine, inside: Inside, ending: signal.Signals
) -> None:
    spawn = machine.spawn(["sh", "-c", "echo $$; exec sleep 300"], user="ubuntu")
    with subprocess.Popen(
        spawn.argv, env=spawn.env, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as session:
        assert session.stdout is not None
        command = int(session.stdout.readline())
        os.killpg(session.pid, ending)
        session.wait(timeout=10)
    gone = f"for i in $(seq 100); do [ -d /proc/{command} ] || exit 0; sleep 0.1; done; exit 1"
    assert inside(machine, gone).returncode == 0


def test_a_change_to_the_system_is_in_every_machine_of_the_image(
    room: MachineRoom, machine: Machine, inside: Inside
) -> None:
    script = "sudo sh -c 'echo mark >/etc/rampart-mark && mkdir -p /opt/rampart/kits && rm -f /etc/issue.net'"
    assert inside(machine, script).returncode == 0
    room.snapshot(machine, "ami-1")
    for name in ("i-1", "i-2"):
        launched = room.create(name, image_id="ami-1", login_user="ubuntu")
        done = inside(launched, "cat /etc/rampart-mark; test -d /opt/rampart/kits && test ! -e /etc/issue.net")
        assert (done.returncode, done.stdout) == (0, "mark\n")


def test_an_image_may_be_launched_for_another_login_user(room: MachineRoom, machine: Machine, inside: Inside) -> None:
    room.snapshot(machine, "ami-1")
    other = room.create("i-1", image_id="ami-1", login_user="ec2-user")
    assert inside(other, "id -un; pwd", user="ec2-user").stdout.split() == ["ec2-user", "/home/ec2-user"]


def test_a_reboot_empties_tmp_and_the_machine_goes_on(room: MachineRoom, inside: Inside) -> None:
    machine = room.create("i-1", image_id=None, login_user="ubuntu")
    inside(machine, "echo 1 >/tmp/gone; echo 1 >~/kept")
    machine.stop()
    machine.start()
    assert inside(machine, "test ! -e /tmp/gone && cat ~/kept").stdout == "1\n"


class TestFull:
    """What needs root on this machine."""

    @pytest.fixture
    def level(self) -> Level:
        if why_not(Level.FULL) is not None:
            pytest.skip(f"this machine cannot do the level full: {why_not(Level.FULL)}")
        return Level.FULL

    def test_users_are_real_and_in_the_image(self, room: MachineRoom, machine: Machine, inside: Inside) -> None:
        assert inside(machine, "sudo useradd -m -s /bin/bash bob && sudo -u bob sh -c 'echo 1 >~/mine'").returncode == 0
        room.snapshot(machine, "ami-1")
        launched = room.create("i-1", image_id="ami-1", login_user="ubuntu")
        assert inside(launched, "id -un bob; stat -c %U /home/bob/mine").stdout.split() == ["bob", "bob"]

    def test_only_the_login_user_may_use_sudo(self, machine: Machine, inside: Inside) -> None:
        inside(machine, "useradd -m -s /bin/bash job", user="root")
        done = inside(machine, "sudo id; /usr/local/lib/rampart/as-root --reuid=0 id", user="job")
        assert done.returncode != 0
        assert done.stdout == ""

    def test_a_rebooted_machine_comes_back_by_itself(self, machine: Machine, inside: Inside) -> None:
        spawn = machine.spawn(["sleep", "300"], user="ubuntu")
        with subprocess.Popen(spawn.argv, env=spawn.env) as sleeper:
            inside(machine, "echo 1 >~/kept; sudo reboot")
            assert sleeper.wait(timeout=10) != 0
        deadline = time.monotonic() + 20
        seen = ""
        while seen != "1\n":  # the keeper hears of the end a moment later
            assert time.monotonic() < deadline, seen
            machine.start()
            with suppress(HostGone):  # it hears of it now
                seen = inside(machine, "cat ~/kept").stdout

    def test_a_machine_as_a_whole_has_bounded_memory(self, machine: Machine, inside: Inside) -> None:
        if not Path("/sys/fs/cgroup/memory").exists():
            pytest.skip("no control group for memory (v1) here")
        hog = f"{sys.executable} -c 'x = b\"x\" * (200 << 20); import time; time.sleep(60)'"
        done = inside(
            machine,
            f"for i in 1 2 3; do {hog} >/dev/null 2>&1 & done; wait -n; echo $?; kill $(jobs -p)",
            through=("bash", "-c"),
        )
        assert done.stdout == "137\n"

    def test_a_package_is_really_installed_when_asked(self, tmp_path: Path, inside: Inside) -> None:
        if why_not(Level.FULL) is not None:
            pytest.skip(f"this machine cannot do the level full: {why_not(Level.FULL)}")
        for tool in ("dpkg-deb", "apt-get"):
            if not any(Path(folder, tool).exists() for folder in ("/usr/bin", "/bin")):
                pytest.skip(f"{tool} is not installed")
        before = Path("/var/lib/dpkg/status").read_bytes()
        with MachineRoom(tmp_path / "room", level=Level.FULL, environment=Path(sys.prefix), real_packages=True) as room:
            machine = room.create("i-1", image_id=None, login_user="ubuntu")
            machine.write_file("/home/ubuntu/test.deb", package(tmp_path / "deb"), mode=0o644, owner="ubuntu")
            done = inside(machine, "sudo apt-get install -y ./test.deb")
            assert done.returncode == 0, done.stderr
            room.snapshot(machine, "ami-1")
            launched = room.create("i-2", image_id="ami-1", login_user="ubuntu")
            done = inside(launched, "dpkg-query -W -f '${Version}' rampart-test; cat /usr/share/rampart-test/mark")
            assert done.stdout == "1.0mark\n"
        assert Path("/var/lib/dpkg/status").read_bytes() == before
        assert not Path("/usr/share/rampart-test").exists()


def package(folder: Path) -> bytes:
    """Build a Debian package that needs nothing."""
    (folder / "DEBIAN").mkdir(parents=True)
    (folder / "usr/share/rampart-test").mkdir(parents=True)
    (folder / "usr/share/rampart-test/mark").write_text("mark\n")
    (folder / "DEBIAN/control").write_text(
        "Package: rampart-test\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\n"
        "Description: proves that a package is installed\n"
    )
    folder.chmod(0o755)
    (folder / "DEBIAN").chmod(0o755)
    made = folder.with_suffix(".deb")
    subprocess.run(["dpkg-deb", "--build", str(folder), str(made)], check=True, capture_output=True)
    return made.read_bytes()
