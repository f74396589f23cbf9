"""Where the challenge lies on a host."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import cast

import pytest

from contracts.remote import CommandResult
from contracts.work import HostLayout
from runner.layout import LayoutMissing, find_layout
from runner.ports import Transport

OURS = {
    "kit_dir": "/opt/rampart/kits/iris",
    "data_dir": "/opt/rampart/kits/iris",
    "python": "/opt/rampart/env/bin/python",
    "ramp_test": "/opt/rampart/env/bin/ramp-test",
}


class Host:
    """Answers the two questions `find_layout` asks."""

    def __init__(self, layout: str = "", ramp_test: str = "") -> None:
        self._layout = layout
        self._ramp_test = ramp_test

    def run(self, argv: Sequence[str], **_: object) -> CommandResult:
        if argv[0] == "sh":
            return CommandResult(0, f"{self._layout}\n/home/ubuntu".encode(), b"")
        return CommandResult(0 if self._ramp_test else 1, self._ramp_test.encode(), b"")


def found(host: Host, remote_kit_folder: str | None = None) -> HostLayout:
    return find_layout(cast(Transport, host), problem="iris", remote_kit_folder=remote_kit_folder)


def test_our_images_say_where_the_challenge_lies() -> None:
    layout = HostLayout(OURS["kit_dir"], OURS["data_dir"], OURS["python"], OURS["ramp_test"])
    assert found(Host(json.dumps(OURS))) == layout


def test_without_our_file_the_layout_of_ramp_is_assumed() -> None:
    layout = found(Host(ramp_test="/home/ubuntu/miniconda/bin/ramp-test\n"))
    assert layout.kit_dir == "/home/ubuntu/ramp-kits/iris"
    assert layout.python == "/home/ubuntu/miniconda/bin/python"


def test_what_a_login_shell_prints_before_the_answer_is_ignored() -> None:
    assert found(Host(ramp_test="Welcome!\n/usr/bin/ramp-test\n")).ramp_test == "/usr/bin/ramp-test"


@pytest.mark.parametrize(
    ("folder", "kit_dir"),
    [("~/kits/iris", "/home/ubuntu/kits/iris"), ("kits/iris", "/home/ubuntu/kits/iris"), ("/srv/iris", "/srv/iris")],
)
def test_the_folder_of_the_event_file_wins(folder: str, kit_dir: str) -> None:
    assert found(Host(json.dumps(OURS)), folder).kit_dir == kit_dir


def test_an_image_without_a_challenge_is_refused() -> None:
    with pytest.raises(LayoutMissing, match="neither"):
        found(Host())


@pytest.mark.parametrize("text", ["{", "[]", '{"kit_dir": "/k"}', "null"])
def test_a_layout_file_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(LayoutMissing, match="cannot be read"):
        found(Host(text))
