"""The stand-ins of a level and the record of their calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.machines import boot, own_units, stand_in_files
from localcloud.machines.level import Level
from localcloud.machines.plan import RoomPlan


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("real_packages", [True, False])
def test_no_level_can_switch_off_the_machine_around_it(level: Level, real_packages: bool) -> None:
    names = stand_in_files.names(level, real_packages=real_packages)
    assert {"shutdown", "poweroff", "halt", "reboot", "systemctl", "sudo"} <= set(names)


def test_full_uses_the_real_tools_that_need_root() -> None:
    names = stand_in_files.names(Level.FULL, real_packages=True)
    assert not {"useradd", "chown", "dpkg", "apt-get"} & set(names)


@pytest.mark.parametrize("level", [Level.USER, Level.PLAIN])
def test_a_level_without_root_never_calls_the_real_package_manager(level: Level) -> None:
    assert {"apt-get", "useradd", "dpkg"} <= set(stand_in_files.names(level, real_packages=True))


def test_calls_are_read_back_word_by_word(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    calls.write_bytes(b"3\0apt-get\0install\0two words\n\x001\0reboot\0")
    assert stand_in_files.recorded(calls) == [["apt-get", "install", "two words\n"], ["reboot"]]


def test_a_record_nobody_wrote_or_spoiled_ends_early(tmp_path: Path) -> None:
    assert stand_in_files.recorded(tmp_path / "missing") == []
    (tmp_path / "calls").write_bytes(b"1\0reboot\0rubbish\0")
    assert stand_in_files.recorded(tmp_path / "calls") == [["reboot"]]


def test_every_tool_is_a_link_to_the_one_script(tmp_path: Path) -> None:
    tools, links = tmp_path / "tools", tmp_path / "bin"
    tools.mkdir()
    links.mkdir()
    stand_in_files.write(tools, links, {"CALLS": "/a b/calls", "LEVEL": "plain"}, ("sudo", "apt-get"))
    script = (links / "sudo").resolve()
    assert script == (links / "apt-get").resolve() == (tools / "stand-in").resolve()
    assert "CALLS='/a b/calls'\nLEVEL=plain\n" in script.read_text()
    assert script.stat().st_mode & 0o111


def test_a_plan_crosses_to_another_process_unchanged() -> None:
    plan = RoomPlan("full", "/room", ("/env",), ("/home",), (), ("sudo",), own_network=True, memory_bytes=1)
    assert RoomPlan.from_json(plan.to_json()) == plan


def test_the_program_for_own_units_runs_without_anything_of_this_one(tmp_path: Path) -> None:
    own_units.install(tmp_path)

    files = {path.relative_to(tmp_path / "units").as_posix() for path in (tmp_path / "units").rglob("*.py")}
    assert {"__main__.py", "localcloud/__init__.py", "localcloud/machines/units/manager.py"} <= files
    assert (tmp_path / "units/localcloud/machines/__init__.py").read_text() == ""
    assert (tmp_path / "foreign-units").is_file()


def test_a_wish_is_known_however_often_it_was_made() -> None:
    assert boot.wishes(3 * boot.Wish.RELOAD_SSH) == {boot.Wish.RELOAD_SSH}
    assert boot.wishes(2 * boot.Wish.MANAGE_UNITS) == {boot.Wish.MANAGE_UNITS}
    assert boot.wishes(boot.Wish.MANAGE_UNITS + boot.Wish.RELOAD_SSH) == set(boot.Wish)
