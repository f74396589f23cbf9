"""What an SSH client is told about the local instances."""

from __future__ import annotations

import stat
from pathlib import Path

from localcloud.addresses import Place
from localcloud.ssh_config import Entry, write

OWN_ADDRESS = Entry("i-1", Place("127.20.0.1", "127.20.0.1", 22), "ubuntu", "ssh-ed25519 AAAA")
SHARED_ADDRESS = Entry("i-2", Place("127.20.0.2", "127.0.0.1", 40022), "ubuntu", "ssh-ed25519 BBBB")


def test_every_instance_is_found_by_its_address_and_by_its_id(tmp_path: Path) -> None:
    write(tmp_path, [OWN_ADDRESS, SHARED_ADDRESS])
    text = (tmp_path / "ssh_config").read_text()
    assert "Host 127.20.0.1 i-1\n    HostName 127.20.0.1\n    Port 22\n    User ubuntu\n" in text
    assert "Host 127.20.0.2 i-2\n    HostName 127.0.0.1\n    Port 40022\n    User ubuntu\n" in text


def test_host_keys_are_always_verified_and_against_our_own_file(tmp_path: Path) -> None:
    write(tmp_path, [OWN_ADDRESS, SHARED_ADDRESS])
    text = (tmp_path / "ssh_config").read_text()
    assert text.count("StrictHostKeyChecking yes") == 2
    assert text.count(f'UserKnownHostsFile "{tmp_path}/known_hosts"') == 2
    assert (tmp_path / "known_hosts").read_text() == (
        "127.20.0.1 ssh-ed25519 AAAA\n[127.0.0.1]:40022 ssh-ed25519 BBBB\n"
    )


def test_the_files_are_their_owners_only(tmp_path: Path) -> None:
    write(tmp_path, [OWN_ADDRESS])
    for name in ("ssh_config", "known_hosts"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_an_instance_that_is_gone_is_no_longer_listed(tmp_path: Path) -> None:
    write(tmp_path, [OWN_ADDRESS])
    write(tmp_path, [])
    assert (tmp_path / "ssh_config").read_text() == ""
    assert (tmp_path / "known_hosts").read_text() == ""
