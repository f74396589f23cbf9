"""What `up` and `destroy` do to the cloud, and what they remember."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest

from contracts.errors import AskedWrongly, CloudError, RampartError
from localcloud.deployer import Action, Change, Deployer, Deployment, ledger, table
from localcloud.deployer.handler import Created, Handler, Wanted
from localcloud.deployer.reconciler import Reconciler
from tests.unit.localcloud.deployer.conftest import ENVIRONMENT, Up
from tests.unit.localcloud.deployer.shelf import Shelf, Thing


def _lamp_on_table(colour: str = "red", wood: str = "oak", kind: str = "Thing") -> Mapping[str, Any]:
    desk = Thing("desk", kind=kind, wood=wood)
    lamp = Thing("lamp", colour=colour, stands_on=desk.id)
    return {"lamp": lamp.id, "shelf": lamp.shelf}


def test_what_is_declared_is_created_and_the_outputs_are_given(shelf: Shelf, up: Up, deployer: Deployer) -> None:
    deployment = up(_lamp_on_table)

    assert deployment.created == ("desk", "lamp")
    assert deployment.outputs == deployer.outputs() == {"lamp": "lamp-2", "shelf": "upper"}
    assert shelf.things["lamp-2"]["stands_on"] == "desk-1"


def test_a_second_up_changes_nothing(shelf: Shelf, up: Up) -> None:
    first = up(_lamp_on_table)
    shelf.calls.clear()

    second = up(_lamp_on_table)

    assert second.changed_nothing
    assert second.unchanged == ("desk", "lamp")
    assert second.outputs == first.outputs
    assert shelf.calls == []


def test_a_changed_resource_is_replaced_and_what_it_does_not_touch_is_left(shelf: Shelf, up: Up) -> None:
    up(_lamp_on_table)
    shelf.calls.clear()

    deployment = up(lambda: _lamp_on_table(colour="blue"))

    assert (deployment.replaced, deployment.unchanged) == (("lamp",), ("desk",))
    assert shelf.calls == ["create lamp-3", "delete lamp-2"]


def test_what_depends_on_a_replaced_resource_is_replaced_too(shelf: Shelf, up: Up) -> None:
    up(_lamp_on_table)
    shelf.calls.clear()

    deployment = up(lambda: _lamp_on_table(wood="pine"))

    assert deployment.replaced == ("desk", "lamp")
    assert shelf.calls == ["create desk-3", "create lamp-4", "delete lamp-2", "delete desk-1"]


def test_what_cannot_stand_beside_its_successor_goes_first_with_what_stands_on_it(shelf: Shelf, up: Up) -> None:
    up(lambda: _lamp_on_table(kind="Joint"))
    shelf.calls.clear()

    deployment = up(lambda: _lamp_on_table(kind="Joint", wood="pine"))

    assert deployment.replaced == ("desk", "lamp")
    assert shelf.calls == ["delete lamp-2", "delete desk-1", "create desk-3", "create lamp-4"]


def test_a_program_may_ask_for_the_old_one_to_go_first(shelf: Shelf, up: Up) -> None:
    def program(wood: str) -> None:
        Thing("desk", pulumi.ResourceOptions(delete_before_replace=True), wood=wood)

    up(lambda: program("oak"))
    up(lambda: program("pine"))

    assert shelf.calls == ["create desk-1", "delete desk-1", "create desk-2"]


def test_what_is_no_longer_declared_is_deleted(shelf: Shelf, up: Up) -> None:
    def desk_alone() -> None:
        Thing("desk", wood="oak")

    up(_lamp_on_table)
    deployment = up(desk_alone)

    assert (deployment.deleted, deployment.unchanged, deployment.outputs) == (("lamp",), ("desk",), {})
    assert list(shelf.things) == ["desk-1"]


def test_destroy_goes_backwards_and_twice_is_fine(shelf: Shelf, up: Up, deployer: Deployer) -> None:
    up(_lamp_on_table)

    assert deployer.destroy().deleted == ("lamp", "desk")
    assert deployer.destroy().changed_nothing
    assert (shelf.things, deployer.outputs()) == ({}, {})


def test_destroy_follows_dependencies_that_only_the_options_tell(shelf: Shelf, up: Up, deployer: Deployer) -> None:
    def program(wood: str) -> None:
        desk = Thing("desk", wood=wood)
        Thing("lamp", pulumi.ResourceOptions(depends_on=[desk]))

    up(lambda: program("oak"))
    up(lambda: program("pine"))

    assert deployer.destroy().deleted == ("lamp", "desk")


def test_a_child_goes_before_its_parent(shelf: Shelf, up: Up, deployer: Deployer) -> None:
    def program(wood: str) -> None:
        desk = Thing("desk", wood=wood)
        Thing("drawer", pulumi.ResourceOptions(parent=desk))

    up(lambda: program("oak"))
    up(lambda: program("pine"))

    assert deployer.destroy().deleted == ("drawer", "desk")


def test_what_the_program_wants_kept_is_kept(shelf: Shelf, up: Up, deployer: Deployer) -> None:
    def program(wood: str) -> None:
        Thing("desk", pulumi.ResourceOptions(retain_on_delete=True), wood=wood)

    up(lambda: program("oak"))
    up(lambda: program("pine"))

    assert deployer.destroy().retained == ("desk",)
    assert list(shelf.things) == ["desk-1", "desk-2"]


def test_what_vanished_from_the_cloud_is_created_again(shelf: Shelf, up: Up) -> None:
    up(_lamp_on_table)
    shelf.things.clear()

    deployment = up(_lamp_on_table)

    assert deployment.created == ("desk", "lamp")
    assert list(shelf.things) == ["desk-3", "lamp-4"]


def test_destroy_of_what_vanished_is_fine(shelf: Shelf, up: Up, deployer: Deployer) -> None:
    up(_lamp_on_table)
    shelf.things.clear()

    assert deployer.destroy().deleted == ("lamp", "desk")


def test_an_up_that_failed_is_taken_up_by_the_next(shelf: Shelf, up: Up) -> None:
    shelf.refused.add("lamp")
    with pytest.raises(CloudError, match=r"could not create test:index:Thing lamp: the shelf says no \[LimitEx"):
        up(_lamp_on_table)
    shelf.refused.clear()

    deployment = up(_lamp_on_table)

    assert (deployment.unchanged, deployment.created) == (("desk",), ("lamp",))


def test_an_up_that_failed_is_cleared_away_by_destroy(shelf: Shelf, up: Up, deployer: Deployer) -> None:
    shelf.refused.add("lamp")
    with pytest.raises(CloudError):
        up(_lamp_on_table)

    assert deployer.destroy().deleted == ("desk",)
    assert shelf.things == {}


def test_a_replacement_that_failed_leaves_the_old_one_to_the_next(shelf: Shelf, up: Up, deployer: Deployer) -> None:
    up(_lamp_on_table)
    shelf.refused.add("lamp")
    with pytest.raises(CloudError):
        up(lambda: _lamp_on_table(wood="pine"))
    shelf.refused.clear()

    up(lambda: _lamp_on_table(wood="pine"))

    assert list(shelf.things) == ["desk-3", "lamp-4"]


def test_a_program_that_raises_is_told_as_it_raised(shelf: Shelf, up: Up) -> None:
    def program() -> None:
        Thing("desk")
        raise AskedWrongly("the event is wrong")

    with pytest.raises(AskedWrongly, match="the event is wrong"):
        up(program)
    assert up(lambda: Thing("desk")).unchanged == ("desk",)


def test_a_type_without_a_handler_is_refused_and_told_what_there_is(shelf: Shelf, up: Up) -> None:
    with pytest.raises(AskedWrongly, match=r"cannot make test:index:Chair .*test:index:Joint, test:index:Thing"):
        up(lambda: Thing("chair", kind="Chair"))


def test_a_function_without_an_answer_is_refused_and_told_what_there_is(shelf: Shelf, up: Up) -> None:
    def program() -> Mapping[str, Any]:
        return {"x": pulumi.runtime.invoke("aws:index/getPartition:getPartition", {}).value}

    with pytest.raises(AskedWrongly, match=r"cannot answer aws:index/getPartition.*getAvailabilityZones"):
        up(program)


def test_the_same_name_twice_is_refused(shelf: Shelf, up: Up) -> None:
    def program() -> None:
        Thing("desk", wood="oak")
        Thing("desk", wood="pine")

    with pytest.raises(AskedWrongly, match=r"declares .*desk twice"):
        up(program)


def test_a_resource_without_a_name_gets_one_and_keeps_it(shelf: Shelf, up: Up) -> None:
    def program(wood: str) -> Mapping[str, Any]:
        return {"title": Thing("desk", wood=wood).title}

    first, again = up(lambda: program("oak")).outputs, up(lambda: program("oak")).outputs
    other = up(lambda: program("pine")).outputs

    assert first["title"].startswith("desk-")
    assert first == again
    assert other != first


def test_a_secret_is_written_nowhere_and_its_change_is_seen(shelf: Shelf, up: Up, state: Path) -> None:
    def program(word: str) -> Mapping[str, Any]:
        desk = Thing("desk", lock=pulumi.Output.secret(word), drawers=[{"lock": pulumi.Output.secret(word)}])
        return {"word": pulumi.Output.secret(word), "desk": desk.id}

    deployment = up(lambda: program("opensesame"))

    assert shelf.things["desk-1"]["lock"] == "opensesame"
    assert deployment.outputs == {"word": "[secret]", "desk": "desk-1"}
    assert "opensesame" not in state.read_text()
    assert up(lambda: program("opensesame")).changed_nothing
    assert up(lambda: program("another")).replaced == ("desk",)


def test_changes_the_program_ignores_change_nothing(shelf: Shelf, up: Up) -> None:
    def program(wood: str) -> None:
        Thing("desk", pulumi.ResourceOptions(ignore_changes=["wood"]), wood=wood)

    up(lambda: program("oak"))

    assert up(lambda: program("pine")).changed_nothing


def test_components_group_and_make_nothing(shelf: Shelf, up: Up) -> None:
    def program() -> None:
        room = pulumi.ComponentResource("test:index:Room", "room", None)
        Thing("desk", pulumi.ResourceOptions(parent=room))
        room.register_outputs({})

    assert up(program).created == ("desk",)


def test_progress_is_told_as_it_happens(shelf: Shelf, state: Path) -> None:
    seen: list[Change] = []
    deployer = Deployer(state, ENVIRONMENT, on_progress=seen.append)

    deployment = deployer.up(_lamp_on_table, project="house", stack="iris")

    assert [(change.name, change.action) for change in seen] == [("desk", Action.CREATED), ("lamp", Action.CREATED)]
    assert str(seen[0]).startswith("created   desk (test:index:Thing, ")
    assert deployment.summary.startswith("2 created, in ")
    assert "a rehearsal" in deployment.summary


def test_the_state_is_for_its_owner_alone(shelf: Shelf, up: Up, state: Path) -> None:
    up(_lamp_on_table)

    assert state.stat().st_mode & 0o777 == 0o600


def test_another_stacks_state_is_not_touched(shelf: Shelf, up: Up, deployer: Deployer) -> None:
    up(_lamp_on_table)

    with pytest.raises(AskedWrongly, match="belongs to house/iris, not to house/other"):
        deployer.up(dict, project="house", stack="other")


_WHOLE = {"format": 1, "project": "house", "stack": "iris", "salt": "00", "outputs": {}, "resources": []}


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", '{"format": 99}', "\x00"),
        '{"format": 1}',
        json.dumps({**_WHOLE, "resources": [{"urn": "urn:old"}]}),
        json.dumps({**_WHOLE, "resources": [{"urn": "urn:new", "dependencies": [], "of a later version": 1}]}),
        json.dumps({**_WHOLE, "salt": "not hexadecimal"}),
        json.dumps({**_WHOLE, "outputs": None}),
    ],
)
def test_a_file_that_is_no_state_is_refused(shelf: Shelf, deployer: Deployer, state: Path, content: str) -> None:
    state.parent.mkdir()
    state.write_text(content)

    for act in (lambda: deployer.up(dict, project="house", stack="iris"), deployer.destroy, deployer.outputs):
        with pytest.raises(AskedWrongly, match=r"is not a (whole )?state file"):
            act()


def test_two_deployments_of_one_stack_at_once_are_refused(shelf: Shelf, up: Up, state: Path) -> None:
    with ledger.alone(state), pytest.raises(RampartError, match="another deployment works with"):
        up(_lamp_on_table)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"AWS_ENDPOINT_URL": "https://ec2.eu-west-3.amazonaws.com"},
        {"AWS_ENDPOINT_URL": "http://203.0.113.9:5000"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1.example.org"},
    ],
)
def test_nothing_is_deployed_beyond_this_machine(shelf: Shelf, state: Path, environment: dict[str, str]) -> None:
    with pytest.raises(AskedWrongly, match="works on the local cloud only"):
        Deployer(state, environment).up(_lamp_on_table, project="house", stack="iris")
    assert shelf.calls == []


def test_it_works_from_any_thread_and_inside_a_running_loop_and_leaves_nothing(shelf: Shelf, up: Up) -> None:
    before = threading.enumerate()
    seen: list[Deployment] = []

    worker = threading.Thread(target=lambda: seen.append(up(_lamp_on_table)))
    worker.start()
    worker.join()

    async def inside() -> None:
        seen.append(up(_lamp_on_table))

    asyncio.run(inside())

    assert [deployment.changed_nothing for deployment in seen] == [False, True]
    assert set(threading.enumerate()) <= set(before)  # others may have ended meanwhile
    assert pulumi.runtime.settings.get_root_resource() is None


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell that runs the tests in the background ignores interrupts, which children inherit."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_waits_for_what_has_begun_and_begins_nothing_more(
    shelf: Shelf, up: Up, deployer: Deployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = threading.main_thread().ident
    if main != threading.get_ident():
        pytest.skip("signals reach the main thread only, and this test runs in another")

    def interrupted(wanted: Wanted) -> Created:
        signal.pthread_kill(main, signal.SIGINT)
        assert interrupting.wait(timeout=10)
        return shelf.create(wanted)

    interrupting = threading.Event()
    handlers = shelf.handlers()
    handlers["test:index:Joint"] = Handler(interrupted, shelf.probe, shelf.delete)
    monkeypatch.setattr(table, "HANDLERS", handlers)
    stop = Reconciler.stop

    def stop_and_tell(reconciler: Reconciler) -> None:
        stop(reconciler)
        interrupting.set()

    monkeypatch.setattr(Reconciler, "stop", stop_and_tell)

    with pytest.raises(KeyboardInterrupt):
        up(lambda: _lamp_on_table(kind="Joint"))

    assert list(shelf.things) == ["desk-1"]
    assert deployer.destroy().deleted == ("desk",)
