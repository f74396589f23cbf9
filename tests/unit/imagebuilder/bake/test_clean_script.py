"""The script that cleans a machine removes what is the machine's own, tells what is left, and spares the rest."""

from __future__ import annotations

import subprocess
from importlib import resources
from pathlib import Path

import pytest

SCRIPT = Path(str(resources.files("imagebuilder.bake") / "clean.sh"))

OWN = (
    "etc/ssh/ssh_host_ed25519_key",
    "etc/ssh/ssh_host_rsa_key.pub",
    "etc/ssh/ssh_known_hosts",
    "root/.ssh/authorized_keys",
    "root/.bash_history",
    "home/ubuntu/.ssh/authorized_keys",
    "home/ubuntu/.ssh/known_hosts.old",
    "home/ubuntu/.python_history",
    "home/ubuntu/.sudo_as_admin_successful",
    "srv/robot/.bash_history",
    "var/lib/cloud/instance/user-data.txt",
    "var/lib/cloud/instances/i-1/user-data.txt",
    "var/lib/cloud/data/instance-id",
    "var/lib/dbus/machine-id",
    "var/lib/systemd/random-seed",
    "var/lib/dhcp/dhclient.leases",
    "var/lib/amazon/toe/TOE_1/console.log",
    "var/lib/apt/lists/archive_Packages",
    "var/cache/apt/archives/git.deb",
    "var/log/journal/0123/system.journal",
    "var/log/auth.log.1",
    "var/log/dpkg.log.2.gz",
    "var/log/cloud-init-output.log",
    "tmp/.hidden/file",
    "var/tmp/two\nlines",
)
OTHERS = (
    "etc/ssh/sshd_config",
    "etc/passwd",
    "home/ubuntu/.bashrc",
    "home/ubuntu/.rampart/layout.json",
    "home/ubuntu/.ssh/config",
    "opt/rampart/kits/iris/problem.py",
    "var/lib/cloud/seed/meta-data",
    "lines",
)
LOGS = ("var/log/auth.log", "var/log/apt/term.log")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    for name in (*OWN, *OTHERS, *LOGS, "etc/machine-id"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("something\n")
    (folder / "etc" / "passwd").write_text(
        "root:x:0:0::/root:/bin/bash\nubuntu:x:1000:1000::/home/ubuntu:/bin/bash\nrobot:x:998:998::/srv/robot:\n"
        "nobody:x:65534:65534::/:\n"
    )
    return folder


def run(verb: str, root: Path) -> list[str]:
    done = subprocess.run(["sh", str(SCRIPT), verb, str(root)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [line.removeprefix(f"{root}/") for line in done.stdout.splitlines()]


def test_everything_of_the_machines_own_is_told_before_and_gone_after(root: Path) -> None:
    told = run("look", root)
    for name in OWN:
        shown = name.replace("\n", "?")
        assert any(shown == line or shown.startswith(f"{line}/") for line in told), name
    assert "etc/machine-id" in told
    assert run("clean", root) == []
    assert [name for name in OWN if (root / name).exists()] == []
    assert (root / "etc" / "machine-id").read_text() == ""


def test_what_is_not_the_machines_own_stays_with_its_folders(root: Path) -> None:
    before = {name: (root / name).read_bytes() for name in OTHERS}
    run("clean", root)
    assert {name: (root / name).read_bytes() for name in OTHERS} == before
    assert all((root / name).is_dir() for name in ("tmp", "var/tmp", "var/log", "var/lib/apt/lists", "etc/ssh"))


def test_logs_are_emptied_where_they_are(root: Path) -> None:
    run("clean", root)
    assert [(root / name).read_bytes() for name in LOGS] == [b"", b""]


def test_cleaning_twice_is_cleaning_once(root: Path) -> None:
    run("clean", root)
    (root / "var" / "log" / "auth.log").write_text("sudo: session opened\n")
    assert run("look", root) == []
    assert run("clean", root) == []


def test_only_looking_changes_nothing(root: Path) -> None:
    before = sorted(root.rglob("*"))
    run("look", root)
    assert sorted(root.rglob("*")) == before


def test_a_long_log_is_not_what_came_after_cleaning(root: Path) -> None:
    run("clean", root)
    (root / "var" / "log" / "install.log").write_text("x" * 70_000)
    assert run("look", root) == ["var/log/install.log"]


def test_links_are_removed_and_not_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("")
    (root / "tmp" / "link").symlink_to(tmp_path / "outside")
    run("clean", root)
    assert not (root / "tmp" / "link").is_symlink()
    assert (tmp_path / "outside" / "file").exists()


def test_a_system_without_most_of_it_is_clean(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    assert run("clean", tmp_path) == []
