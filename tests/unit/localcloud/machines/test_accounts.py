"""The account files of a machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.machines import accounts


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/usr/sbin:/usr/sbin/nologin\n"
        "alice:x:1000:1000:Alice:/home/alice:/bin/zsh\nnobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"
    )
    (tmp_path / "group").write_text("root:x:0:\nsudo:x:27:alice\nvideo:x:44:alice,daemon\nalice:x:1000:\n")
    return tmp_path


def test_nobodys_person_is_in_a_machine(etc: Path) -> None:
    files = accounts.with_login_user(etc, "ubuntu")
    assert "alice" not in "".join(files.values())


def test_system_users_stay_and_the_login_user_is_the_first_person(etc: Path) -> None:
    files = accounts.with_login_user(etc, "ubuntu")
    assert [line.split(":")[0] for line in files["passwd"].splitlines()] == ["root", "daemon", "nobody", "ubuntu"]
    assert files["passwd"].splitlines()[-1] == "ubuntu:x:1000:1000:ubuntu:/home/ubuntu:/bin/bash"


def test_the_login_user_may_use_sudo_and_groups_lose_people_only(etc: Path) -> None:
    groups = accounts.with_login_user(etc, "ubuntu")["group"].splitlines()
    assert groups == ["root:x:0:", "sudo:x:27:ubuntu", "video:x:44:daemon", "ubuntu:x:1000:"]


def test_nobody_has_a_password(etc: Path) -> None:
    (etc / "shadow").write_text("root:$6$salt$hash:19000:0:99999:7:::\n")
    shadow = accounts.with_login_user(etc, "ubuntu")["shadow"].splitlines()
    assert [line.split(":")[1] for line in shadow] == ["*"] * 4


def test_a_user_of_the_same_name_here_is_replaced(etc: Path) -> None:
    with (etc / "passwd").open("a") as passwd:
        passwd.write("ubuntu:x:999:999::/srv/ubuntu:/bin/false\n")
    files = accounts.with_login_user(etc, "ubuntu")
    assert [line for line in files["passwd"].splitlines() if line.startswith("ubuntu:")] == [
        "ubuntu:x:1000:1000:ubuntu:/home/ubuntu:/bin/bash"
    ]


def test_a_system_without_an_admin_group_gets_one(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (tmp_path / "group").write_text("root:x:0:\nfree:x:27:\n")
    assert accounts.admin_group(tmp_path / "group") == accounts.Group("sudo", 427)
    assert "sudo:x:427:ubuntu" in accounts.with_login_user(tmp_path, "ubuntu")["group"]


def test_running_it_on_its_own_output_changes_nothing(etc: Path) -> None:
    once = accounts.with_login_user(etc, "ubuntu")
    for name, text in once.items():
        (etc / name).write_text(text)
    assert accounts.with_login_user(etc, "ubuntu") == once
