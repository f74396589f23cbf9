"""What `preview` foretells and `refresh` finds, and that neither changes anything."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest

from contracts.errors import AskedWrongly
from localcloud.deployer import Action, Change, Deployer, Deployment
from tests.unit.localcloud.deployer.conftest import ENVIRONMENT, Up
from tests.unit.localcloud.deployer.shelf import Shelf, Thing

UNKNOWN = "[known after up]"

Program = Callable[[], Any]


@pytest.fixture
def preview(deployer: Deployer) -> Callable[[Program], Deployment]:
    def outputs_of(program: Program) -> dict[str, Any]:
        given = program()
        return given if isinstance(given, dict) else {}

    return lambda program: deployer.preview(lambda: outputs_of(program), project="house", stack="iris")


def _lamp_on_table(colour: str = "red", wood: str = "oak", kind: str = "Thing") -> Mapping[str, Any]:
    desk = Thing("desk", kind=kind, wood=wood)
    lamp = Thing("lamp", colour=colour, stands_on=desk.id, near=[{"what": desk.id}])
    return {"lamp": lamp.id, "shelf": lamp.shelf, "rooms": ["hall"]}


def _did(deployment: Deployment) -> list[tuple[str, Action]]:
    return [(change.name, change.action) for change in deployment.changes]


def test_a_preview_of_the_first_up_says_what_would_be_created_and_makes_nothing(
    shelf: Shelf, preview: Callable[[Program], Deployment], state: Path
) -> None:
    deployment = preview(_lamp_on_table)

    assert (deployment.created, shelf.calls, state.exists()) == (("desk", "lamp"), [], False)
    assert deployment.outputs == {"lamp": UNKNOWN, "shelf": UNKNOWN, "rooms": ["hall"]}
    assert deployment.summary.startswith("would be 2 created, in ")


@pytest.mark.parametrize("kind", ["Thing", "Joint"])
@pytest.mark.parametrize(
    "after",
    [
        lambda kind: _lamp_on_table(kind=kind),
        lambda kind: _lamp_on_table(kind=kind, colour="blue"),
        lambda kind: _lamp_on_table(kind=kind, wood="pine"),
        lambda kind: Thing("desk", kind=kind, wood="oak") and {},
        lambda kind: kind and {},
        lambda kind: Thing("chair", kind=kind) and _lamp_on_table(kind=kind),
    ],
)
def test_an_up_does_what_its_preview_said(
    shelf: Shelf, up: Up, preview: Callable[[Program], Deployment], kind: str, after: Callable[[str], Any], state: Path
) -> None:
    up(lambda: _lamp_on_table(kind=kind))
    shelf.calls.clear()
    before = state.read_bytes()

    foretold = preview(lambda: after(kind))

    assert (shelf.calls, state.read_bytes()) == ([], before)
    assert _did(up(lambda: after(kind))) == _did(foretold)


def test_what_is_unchanged_keeps_its_values_in_a_preview(
    shelf: Shelf, up: Up, preview: Callable[[Program], Deployment]
) -> None:
    made = up(_lamp_on_table)

    foretold = preview(_lamp_on_table)

    assert foretold.changed_nothing
    assert foretold.outputs == made.outputs


def test_what_is_computed_from_an_unknown_value_is_not_computed(
    shelf: Shelf, up: Up, preview: Callable[[Program], Deployment]
) -> None:
    computed = itertools.count(1)

    def program(wood: str) -> Mapping[str, Any]:
        desk = Thing("desk", wood=wood)
        plate = desk.shelf.apply(lambda shelf: f"{shelf} {next(computed)}")
        Thing("lamp", plate=plate, secret=pulumi.Output.secret(desk.id), all=pulumi.Output.all(desk.id, "x"))
        return {"plate": plate}

    up(lambda: program("oak"))
    assert next(computed) == 2

    foretold = preview(lambda: program("pine"))

    assert (foretold.replaced, foretold.outputs, next(computed)) == (("desk", "lamp"), {"plate": UNKNOWN}, 3)


def test_a_preview_foretells_that_what_vanished_is_created_again_with_what_was_built_from_it(
    shelf: Shelf, up: Up, preview: Callable[[Program], Deployment]
) -> None:
    up(_lamp_on_table)
    del shelf.things["desk-1"]

    foretold = preview(_lamp_on_table)

    assert _did(foretold) == [("desk", Action.CREATED), ("lamp", Action.REPLACED)]


def test_what_the_program_wants_kept_is_foretold_to_be_kept(
    shelf: Shelf, up: Up, preview: Callable[[Program], Deployment]
) -> None:
    up(lambda: Thing("desk", pulumi.ResourceOptions(retain_on_delete=True)))

    assert preview(dict).retained == ("desk",)


def test_a_preview_tells_that_it_is_one(shelf: Shelf, state: Path) -> None:
    seen: list[Change] = []
    deployer = Deployer(state, ENVIRONMENT, on_progress=seen.append)

    deployer.preview(_lamp_on_table, project="house", stack="iris")

    assert [str(change) for change in seen] == [
        "would be created   desk (test:index:Thing)",
        "would be created   lamp (test:index:Thing)",
    ]


def test_a_preview_refuses_what_up_refuses(shelf: Shelf, preview: Callable[[Program], Deployment]) -> None:
    with pytest.raises(AskedWrongly, match="cannot make test:index:Chair"):
        preview(lambda: Thing("chair", kind="Chair"))


def test_refresh_forgets_what_is_gone_and_the_next_up_makes_it_again(shelf: Shelf, up: Up, deployer: Deployer) -> None:
    up(_lamp_on_table)
    del shelf.things["lamp-2"]
    shelf.calls.clear()

    refreshed = deployer.refresh()

    assert _did(refreshed) == [("desk", Action.UNCHANGED), ("lamp", Action.FORGOTTEN)]
    assert not refreshed.changed_nothing
    assert refreshed.summary.startswith("1 forgotten, 1 unchanged, in ")
    assert shelf.calls == []
    assert deployer.refresh().changed_nothing
    assert _did(up(_lamp_on_table)) == [("desk", Action.UNCHANGED), ("lamp", Action.CREATED)]


def test_refresh_keeps_the_outputs(shelf: Shelf, up: Up, deployer: Deployer) -> None:
    outputs = up(_lamp_on_table).outputs
    shelf.things.clear()

    deployer.refresh()

    assert deployer.outputs() == outputs


def test_refresh_of_what_was_never_deployed_finds_nothing(shelf: Shelf, deployer: Deployer, state: Path) -> None:
    assert deployer.refresh().changed_nothing
    assert not state.exists()
