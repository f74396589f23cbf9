"""Secrets of a program's configuration are used and written nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi

from localcloud.deployer import Change, Deployer
from tests.unit.localcloud.deployer.conftest import ENVIRONMENT
from tests.unit.localcloud.deployer.shelf import Shelf, Thing


def _desk_with_a_lock() -> Mapping[str, Any]:
    word = pulumi.Config("house").get_secret("lock")
    desk = Thing("desk", lock=word, note=pulumi.Output.concat("the word is ", word) if word else None)
    return {"desk": desk.id, "word": word}


def test_a_program_reads_its_secret_and_no_file_line_or_output_shows_it(shelf: Shelf, state: Path) -> None:
    seen: list[Change] = []
    deployer = Deployer(state, ENVIRONMENT, on_progress=seen.append)
    secrets = {"lock": "opensesame"}

    up = deployer.up(_desk_with_a_lock, project="house", stack="iris", secrets=secrets)
    again = deployer.up(_desk_with_a_lock, project="house", stack="iris", secrets=secrets)
    foretold = deployer.preview(_desk_with_a_lock, project="house", stack="iris", secrets=secrets)

    assert shelf.things["desk-1"]["note"] == "the word is opensesame"
    assert up.outputs == {"desk": "desk-1", "word": "[secret]"}
    assert again.changed_nothing
    assert foretold.changed_nothing
    files = [path for path in state.parent.rglob("*") if path.is_file()]
    assert state in files
    assert "opensesame" not in " ".join([*map(Path.read_text, files), *map(str, seen), repr((up, again, foretold))])


def test_another_value_replaces_what_was_made_with_it(shelf: Shelf, state: Path) -> None:
    deployer = Deployer(state, ENVIRONMENT)
    deployer.up(_desk_with_a_lock, project="house", stack="iris", secrets={"lock": "opensesame"})

    deployment = deployer.up(_desk_with_a_lock, project="house", stack="iris", secrets={"lock": "another"})

    assert deployment.replaced == ("desk",)


def test_a_program_without_its_secret_sees_none_also_after_one_with_it(shelf: Shelf, state: Path) -> None:
    deployer = Deployer(state, ENVIRONMENT)
    deployer.up(_desk_with_a_lock, project="house", stack="iris", secrets={"lock": "opensesame"})

    deployment = deployer.up(_desk_with_a_lock, project="house", stack="iris")

    assert "lock" not in shelf.things["desk-2"]
    assert deployment.outputs["desk"] == "desk-2"
