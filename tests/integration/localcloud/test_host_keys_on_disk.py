"""An instance's SSH host key lies on its own disk, as its SSH server shows it; no other one is seen there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.host_keys import settle
from localcloud.machines import Level, Machine, MachineRoom
from localcloud.machines.probe import why_not
from tests.integration.clouds import Cloud

LIST = "cd /etc/ssh && cat ssh_host_*.pub; ls ssh_host_*"
KEEPING = "#cloud-config\nssh_deletekeys: false\n"


def shown(cloud: Cloud, address: str) -> str:
    """The key that the instance's SSH server proves itself with."""
    folder = Path(cloud.environment["RAMPART_SSH_CONFIG"]).parent
    lines = [line.split() for file in folder.glob("*known*") for line in file.read_text().splitlines()]
    return next(" ".join(words[1:3]) for words in lines if address in words[0])


@pytest.fixture
def above_plain(cloud: Cloud) -> None:
    if cloud.local.level == Level.PLAIN:
        pytest.skip("machines at the level plain have no /etc of their own")


@pytest.mark.usefixtures("above_plain")
def test_an_image_hands_its_host_keys_on_only_where_they_were_left_and_are_to_be_kept(cloud: Cloud) -> None:
    launched: list[str] = []

    def launch(**parameters: str) -> str:
        instance = cloud.launch(**parameters)
        launched.append(instance["InstanceId"])
        address: str = instance["PublicIpAddress"]
        on_disk, *names = cloud.ssh(address, LIST).stdout.decode().splitlines()
        assert names == ["ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"]
        assert on_disk == shown(cloud, address)
        return on_disk

    def image(name: str) -> str:
        made: str = cloud.client("ec2").create_image(InstanceId=launched[0], Name=name)["ImageId"]
        return made

    try:
        first = launch()
        left = image("keys left")
        assert launch(ImageId=left, UserData=KEEPING) == first
        assert launch(ImageId=left) != first
        address = cloud.describe(launched[0])["PublicIpAddress"]
        assert cloud.ssh(address, "sudo -n rm /etc/ssh/ssh_host_*").returncode == 0
        assert launch(ImageId=image("keys removed"), UserData=KEEPING) != first
    finally:
        cloud.terminate(*launched)


@pytest.fixture(params=[Level.FULL, Level.USER])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    if reason := why_not(request.param):
        pytest.skip(reason)
    with MachineRoom(tmp_path / "room", level=request.param, environment=Path(sys.prefix)) as room:
        yield room.create("i-0123", image_id=None, login_user="ubuntu")


def test_the_keys_of_the_machine_around_it_are_neither_seen_nor_changed(machine: Machine) -> None:
    def run(script: str) -> subprocess.CompletedProcess[str]:
        spawn = machine.spawn(["sh", "-c", script], user="root")
        return subprocess.run(spawn.argv, env=spawn.env, cwd=spawn.cwd, capture_output=True, text=True, check=False)

    before = {path: path.read_bytes() for path in Path("/etc/ssh").glob("ssh_host_*")}
    assert run("ls /etc/ssh/ssh_host_*").stdout == ""
    assert settle(machine, "private\n", "public", is_given=False, keeps_images=True) is None
    assert run("cd /etc/ssh; cat ssh_host_*; stat -c %a ssh_host_*").stdout.split() == [
        "private",
        "public",
        "600",
        "644",
    ]
    assert settle(machine, "other\n", "other", is_given=False, keeps_images=True) == "private\n"
    assert run("rm /etc/ssh/ssh_host_*; ls /etc/ssh/ssh_host_*").stdout == ""
    assert {path: path.read_bytes() for path in Path("/etc/ssh").glob("ssh_host_*")} == before
