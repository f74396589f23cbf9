"""What a room leaves behind when its owner ends, and what an ordinary user can have."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.machines import Level, MachineRoom
from localcloud.machines.probe import why_not

OWNER = Path(__file__).with_name("owner.py")
REPOSITORY = Path(__file__).parents[4]
NOBODY = 65534
INSTALLING = """
set -e
mkdir -p ~/kits; echo "$(id -un) $HOME" >>~/kits/mark; cat ~/kits/mark
apt-get install -y rampart-no-such-package
sudo useradd -m rampart-nobody
sudo systemctl enable rampart-nothing
sudo sh -c 'echo mark >/etc/rampart-test-mark'
test "$(sudo id -u)" = 0
{python} -c 'import numpy'
unit=/etc/systemd/system/rampart-test.service
if [ -e $unit ]; then
    until systemctl is-active -q rampart-test; do sleep 0.05; done
else
    printf '%s\\n' '[Service]' 'ExecStart=/bin/sleep 600' '[Install]' 'WantedBy=multi-user.target' |
        sudo tee $unit >/dev/null
    sudo systemctl enable --now rampart-test
    systemctl is-active -q rampart-test
fi
"""
# in a mount namespace of its own, show the interpreter to everybody although it lies in a folder of root's
REACHABLE = """
set -e
mount --make-rprivate /
stage=$1 blocked=$2; shift 2
mount -t tmpfs -o mode=755 stage "$stage"
while [ "$1" != -- ]; do
    mkdir -p "$stage/${1#"$blocked"}"
    mount --bind "$1" "$stage/${1#"$blocked"}"
    shift
done
shift
[ -z "$blocked" ] || mount --rbind "$stage" "$blocked"
exec setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"
"""


# at the level plain nothing ends with a killed owner; its documentation says so
@pytest.fixture(params=[Level.FULL, Level.USER])
def level(request: pytest.FixtureRequest) -> Level:
    chosen: Level = request.param
    if why_not(chosen) is not None:
        pytest.skip(f"this machine cannot do the level {chosen}: {why_not(chosen)}")
    return chosen


def start(command: list[str]) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def children_of(pid: int) -> set[int]:
    """Return the processes below `pid`, however deep."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it ended meanwhile
            continue
    found: set[int] = set()
    while grown := {child for child, parent in parents.items() if parent in found | {pid}} - found:
        found |= grown
    return found


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_mount_or_group_is_left_when_the_owner_ends(
    level: Level, tmp_path: Path, ending: signal.Signals
) -> None:
    folder = tmp_path / "room"
    with start([sys.executable, str(OWNER), str(folder), level.value, "true"]) as owner:
        assert owner.stdout is not None
        json.loads(owner.stdout.readline())
        below = [os.pidfd_open(pid) for pid in children_of(owner.pid)]
        assert len(below) >= 4  # the keeper, what watches a machine, its first process, the command
        owner.send_signal(ending)
        owner.wait(timeout=20)
    try:
        for process in below:
            assert select.select([process], [], [], 20)[0], "a process outlived its owner"
    finally:
        for process in below:
            os.close(process)
    assert str(folder) not in Path("/proc/self/mountinfo").read_text()
    left = [str(path) for path in Path("/sys/fs/cgroup").glob("*/**/rampart-*-i-[12]") if owner_is_gone(path)]
    assert left == []
    if ending == signal.SIGTERM:
        assert list(folder.iterdir()) == []


def owner_is_gone(group: Path) -> bool:
    return not Path("/proc", group.name.split("-")[1]).exists()


@pytest.mark.parametrize("level", list(Level), indirect=True)
def test_the_next_owner_of_a_folder_ends_what_a_killed_one_left(level: Level, tmp_path: Path) -> None:
    folder = tmp_path / "room"
    with start([sys.executable, str(OWNER), str(folder), level.value, "true"]) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        below = [os.pidfd_open(pid) for pid in children_of(owner.pid)]
        owner.kill()
    with MachineRoom(folder, level=level, environment=Path(sys.prefix)) as room:
        for process in below:
            assert select.select([process], [], [], 20)[0], "a process outlived its owner and the next one"
            os.close(process)
        assert room.create("i-1", image_id=None, login_user="ubuntu").recorded_calls() == []
    assert list(folder.iterdir()) == []


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder an ordinary user may write to; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="rampart-user-"))
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


def test_an_ordinary_user_gets_machines_that_change_nothing_of_this_one(open_folder: Path) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    passwd, homes = Path("/etc/passwd").read_bytes(), sorted(Path("/home").iterdir())
    script = INSTALLING.replace("{python}", sys.executable)
    command = [sys.executable, str(OWNER), str(open_folder / "room"), "user", script]
    if os.geteuid() == 0:
        command = as_ordinary_user(command, open_folder)
    with start(command) as owner:
        assert owner.stdout is not None
        said = owner.stdout.readline()
        owner.terminate()
        assert owner.wait(timeout=20) == 0
    told = json.loads(said)
    assert told["uid"] != 0
    mark = "ubuntu /home/ubuntu\n"
    assert [output[:2] for output in told["outputs"]] == [[0, mark], [0, mark * 2]], told["outputs"]
    assert ["systemctl", "enable", "rampart-nothing"] in told["calls"]
    assert (Path("/etc/passwd").read_bytes(), sorted(Path("/home").iterdir())) == (passwd, homes)
    assert not Path("/etc/rampart-test-mark").exists()
    assert list((open_folder / "room").iterdir()) == []


def as_ordinary_user(command: list[str], folder: Path) -> list[str]:
    needed = [Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve(), REPOSITORY]
    blocked = {above for path in needed for above in path.parents if not above.stat().st_mode & 0o001}
    top = min(blocked, key=lambda path: len(path.parts), default=None)
    shown = [str(path) for path in needed if top is not None and path.is_relative_to(top)]
    stage = folder / "stage"
    stage.mkdir()
    names = [str(stage), str(top or "")]
    return ["unshare", "--mount", "sh", "-c", REACHABLE, "sh", *names, *shown, "--", *command]
