"""Which units a boot starts, and whose they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.machines.units import enabling, places

UNIT = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target other.target\n"


@pytest.fixture
def units(tmp_path: Path) -> Path:
    folder = tmp_path / "system"
    folder.mkdir()
    (folder / "a.service").write_text(UNIT)
    return folder


def test_a_unit_is_linked_to_every_target_that_wants_it_and_twice_changes_nothing(units: Path) -> None:
    assert len(list(enabling.enable("a.service", units))) == 2
    assert list(enabling.enable("a.service", units)) == []

    assert enabling.is_enabled("a.service", units)
    assert (units / "multi-user.target.wants" / "a.service").readlink() == units / "a.service"
    assert enabling.enabled(units, Path("/nowhere")) == ["a.service"]


def test_a_unit_that_is_disabled_is_started_by_no_boot(units: Path) -> None:
    list(enabling.enable("a.service", units))

    assert len(list(enabling.disable("a.service", units))) == 2
    assert not enabling.is_enabled("a.service", units)
    assert enabling.enabled(units, Path("/nowhere")) == []


def test_a_unit_that_nothing_wants_is_not_enabled(units: Path) -> None:
    (units / "b.service").write_text("[Service]\nExecStart=/bin/true\n")

    (said,) = enabling.enable("b.service", units)

    assert "no [Install]" in said
    assert not enabling.is_enabled("b.service", units)


def test_only_units_that_the_machine_wrote_are_its_own(units: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign-units"
    foreign.write_text("ssh.service\n")
    for name in ("ssh.service", "a.timer"):
        (units / name).write_text(UNIT)
    (units / "link.service").symlink_to(units / "a.service")

    names = ("a.service", "ssh.service", "a.timer", "link.service", "missing.service", "../system/a.service")
    assert [name for name in names if places.is_own(name, units, foreign)] == ["a.service"]


def test_a_name_without_a_type_is_a_services() -> None:
    assert [places.full_name(name) for name in ("a", "a.service", "a.path", "a.b")] == [
        *("a.service", "a.service", "a.path", "a.b.service")
    ]
