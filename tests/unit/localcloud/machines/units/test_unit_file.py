"""Unit files, as far as emulated machines follow them."""

from __future__ import annotations

import pytest

from localcloud.machines.units import unit_file
from localcloud.machines.units.unit_file import KillMode, PathUnit, Restart, Service, UnitError

SERVICE = """\
# a comment
[Unit]
Description=Something
After=network-online.target

[Service]
User=somebody
Group=others
StateDirectory=somebody somebody/more
StateDirectoryMode=0750
WorkingDirectory=/var/lib/somebody
Environment=A=1 "B=two words"
Environment=C=
ExecStart=/bin/sh -c 'echo "$A" \\
  again'
Restart=always
RestartSec=1min 500ms
KillMode=process
NoNewPrivileges=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
"""


def test_a_service_is_read_with_what_nobody_follows_here_told_apart() -> None:
    assert unit_file.read("a.service", SERVICE) == Service(
        command=("/bin/sh", "-c", 'echo "$A"    again'),
        user="somebody",
        group="others",
        state_folders=("somebody", "somebody/more"),
        state_mode=0o750,
        folder="/var/lib/somebody",
        environment=(("A", "1"), ("B", "two words"), ("C", "")),
        restart=Restart.ALWAYS,
        restart_s=60.5,
        kill_mode=KillMode.PROCESS,
        no_new_privileges=True,
        wanted_by=("multi-user.target",),
        ignored=("PrivateTmp",),
    )


def test_what_a_service_does_not_say_is_as_with_systemd() -> None:
    unit = unit_file.read("a.service", "[Service]\nExecStart=/bin/true\n")

    assert unit == Service(command=("/bin/true",))
    assert isinstance(unit, Service)
    assert (unit.user, unit.restart, unit.restart_s, unit.stop_s) == ("root", Restart.NO, 0.1, 90.0)
    assert unit.kill_mode is KillMode.CONTROL_GROUP


def test_a_path_starts_the_service_of_its_name_unless_it_names_one() -> None:
    assert unit_file.read("a.path", "[Path]\nPathExists=/a\nPathExists=/b\n") == PathUnit(("/a", "/b"), "a.service")
    assert unit_file.read("a.path", "[Path]\nPathExists=/a\nUnit=b.service\n") == PathUnit(("/a",), "b.service")


@pytest.mark.parametrize(
    "setting",
    [
        "Type=notify",
        "ExecStart=/bin/false",
        "Restart=on-abort",
        "RestartSec=soon",
        "KillMode=mixed",
        "NoNewPrivileges=perhaps",
        "Environment=1=2",
    ],
)
def test_a_service_that_would_not_be_the_same_here_is_refused(setting: str) -> None:
    with pytest.raises(UnitError):
        unit_file.read("a.service", f"[Service]\nExecStart=/bin/true\n{setting}\n")


@pytest.mark.parametrize("command", ["true", "-/bin/true", "/bin/echo %n", ""])
def test_a_command_with_more_to_it_than_words_is_refused(command: str) -> None:
    with pytest.raises(UnitError):
        unit_file.read("a.service", f"[Service]\nExecStart={command}\n")


@pytest.mark.parametrize("text", ["[Path]\n", "[Path]\nPathExists=/a\nPathChanged=/b\n"])
def test_a_path_that_waits_for_anything_but_a_file_is_refused(text: str) -> None:
    with pytest.raises(UnitError):
        unit_file.read("a.path", text)
