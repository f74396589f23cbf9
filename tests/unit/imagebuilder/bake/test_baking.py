"""A bake ends with a tested image and nothing else, or with nothing at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from contracts.errors import AskedWrongly, CommandFailed, CommandTimedOut, HostUnreachable, ImageBuildFailed
from contracts.image import BAKE_TAG, BuildState, ImageReference, ImageStatus, MachineImage
from imagebuilder.bake import Order, bake
from imagebuilder.bake.order import MARGIN_S
from imagebuilder.building.following import Audience, Progress
from imagebuilder.building.kept_log import KeptLog
from imagebuilder.building.wanted import built_already
from imagebuilder.images import against
from tests.unit.imagebuilder.bake.bakery import ORDER, START, Bakery, refused

WHOLE_WAY = [
    "launch build from ami-parent",
    "build on i-build",
    "validate on i-build",
    "clean build",
    "look build",
    "create of i-build",
    "terminate build",
    "launch test from ami-1",
    "test on i-test",
    "terminate test",
    "tag ami-1 tested",
]
EVERYTHING_THAT_CAN_FAIL = [step for step in WHOLE_WAY if not step.startswith("terminate")]


@pytest.fixture
def bakery() -> Bakery:
    return Bakery()


def baked(bakery: Bakery, order: Order = ORDER, audience: Audience | None = None) -> ImageReference:
    is_up = bakery.up.__contains__
    return bake(order, bakery, bakery, bakery.run_documents, is_up=is_up, audience=audience, clockwork=bakery.clockwork)


def test_an_image_is_built_cleaned_made_tested_on_a_fresh_machine_and_only_then_called_tested(bakery: Bakery) -> None:
    made = baked(bakery)
    assert bakery.happened == WHOLE_WAY
    assert made == ImageReference("ami-1", "flowers-backend 2026-11-20T10-30-15.250Z", START, ImageStatus.TESTED)


def test_the_image_lacks_nothing_but_a_look_at_a_host_to_be_the_events_own(bakery: Bakery) -> None:
    baked(bakery)
    (image,) = (replace(image, state="available") for image in bakery.images.values())
    moment = START + timedelta(hours=1)
    verified = replace(image, tags={**image.tags, "rampart:status": "verified"})
    assert against(verified, base="flowers-backend", event="flowers", now=moment) == ""
    found = built_already([image], base="flowers-backend", event="flowers", recipe="1.0.7", now=moment)
    assert found == image


def test_the_builder_alone_has_permissions_and_each_machine_outlives_its_work_by_little(bakery: Bakery) -> None:
    baked(bakery)
    build, test = bakery.rented_as["build"], bakery.rented_as["test"]
    assert (build["profile"], test["profile"]) == ("builds", "")
    assert (build["lifetime_s"], test["lifetime_s"]) == (600 + 300 + MARGIN_S, 60 + MARGIN_S)


@pytest.mark.parametrize("step", EVERYTHING_THAT_CAN_FAIL)
def test_whatever_fails_ends_both_machines_and_leaves_no_image(bakery: Bakery, step: str) -> None:
    bakery.fails = {step: refused()}
    with pytest.raises(ImageBuildFailed, match="EC2 does not want to"):
        baked(bakery)
    assert_nothing_is_left(bakery)


@pytest.mark.parametrize("step", EVERYTHING_THAT_CAN_FAIL)
def test_an_interruption_ends_both_machines_and_leaves_no_image(bakery: Bakery, step: str) -> None:
    bakery.fails = {step: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        baked(bakery)
    assert_nothing_is_left(bakery)


def assert_nothing_is_left(bakery: Bakery) -> None:
    launched = [what.split()[1] for what in bakery.happened if what.startswith("launch")]
    terminated = [what.split()[1] for what in bakery.happened if what.startswith("terminate")]
    assert launched == terminated
    assert bakery.happened[-1] == "discard"
    assert bakery.images == {}


def test_an_image_that_cannot_be_removed_hides_no_failure_and_is_told(bakery: Bakery) -> None:
    bakery.fails = {"test on i-test": CommandFailed("exit code 3", exit_code=3), "discard": refused()}
    told: list[str] = []
    with pytest.raises(ImageBuildFailed, match="exit code 3"):
        baked(bakery, audience=Audience(tell=told.append))
    assert told == ["an unfinished image may be left, the next build removes it: EC2 does not want to"]


def test_a_step_that_fails_is_named_with_its_code_and_the_end_of_its_log(bakery: Bakery, tmp_path: Path) -> None:
    said = ("Step Install", "ExecuteBash: STARTED EXECUTION", "Stderr: No space left on device", "ExitCode 3")
    bakery.lines = {"build": (*said, "ExecuteBash: FAILED EXECUTION", "Step Install failed: exit code 3")}
    bakery.fails = {"build on i-build": CommandFailed("exit code 3", exit_code=3)}
    with KeptLog(tmp_path / "log") as log, pytest.raises(ImageBuildFailed) as caught:
        baked(bakery, audience=Audience(log=log))
    error = caught.value
    assert (error.component, error.phase, error.step_exit_code) == ("base", "build", 3)
    assert error.message == "the image build failed: in base, phase build, step Install: exit code 3"
    assert "Stderr: No space left on device" in error.log_tail
    assert error.hint.startswith("the builder's disk is full: raise infra.image.volume_gib")
    assert error.log_file == tmp_path / "log"
    assert "Stderr: No space left on device" in (tmp_path / "log").read_text().splitlines()


def test_a_failure_that_is_no_components_names_the_step_too(bakery: Bakery) -> None:
    bakery.fails = {"create of i-build": refused()}
    with pytest.raises(ImageBuildFailed) as caught:
        baked(bakery)
    assert caught.value.step == "bake, phase image, step CreateImage"
    assert caught.value.hint == "ask it nicely"


def test_a_failure_between_steps_is_blamed_on_none(bakery: Bakery) -> None:
    bakery.fails = {"launch test from ami-1": refused()}
    with pytest.raises(ImageBuildFailed) as caught:
        baked(bakery)
    assert (caught.value.step, caught.value.message) == ("", "the image build failed: EC2 does not want to")


def test_a_machine_that_is_lost_is_named(bakery: Bakery) -> None:
    bakery.fails = {"validate on i-build": HostUnreachable("the connection has ended")}
    with pytest.raises(ImageBuildFailed, match=r"the instance i-build was lost: the connection has ended") as caught:
        baked(bakery)
    assert caught.value.hint == "build again"


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("build on i-build", "the image build took longer than 600 s"),
        ("test on i-test", "the image's test phase took longer than 60 s"),
    ],
)
def test_phases_that_take_too_long_are_told_with_their_time(bakery: Bakery, step: str, message: str) -> None:
    bakery.fails = {step: CommandTimedOut("it was not done within 599 s")}
    with pytest.raises(ImageBuildFailed, match=message):
        baked(bakery)


def test_what_was_asked_wrongly_stays_so(bakery: Bakery) -> None:
    bakery.fails = {"build on i-build": AskedWrongly("no such parameter")}
    with pytest.raises(AskedWrongly):
        baked(bakery)
    assert_nothing_is_left(bakery)


@pytest.mark.parametrize("verb", ["clean", "look"])
def test_no_image_is_made_of_a_machine_that_still_has_something_of_its_own(bakery: Bakery, verb: str) -> None:
    bakery.left[verb] = "/etc/ssh/ssh_host_rsa_key\n"
    with pytest.raises(ImageBuildFailed, match="the machine still has /etc/ssh/ssh_host_rsa_key"):
        baked(bakery)
    assert "create of i-build" not in bakery.happened


def test_a_disk_that_is_not_the_machines_own_is_not_touched(bakery: Bakery) -> None:
    bakery.keys["build"] = "ssh-ed25519 AAAAsomebody"
    with pytest.raises(ImageBuildFailed, match="i-build has not the host key on its disk"):
        baked(bakery)
    assert bakery.happened == ["launch build from ami-parent", "terminate build", "discard"]


def test_an_image_whose_machines_share_a_host_key_of_any_kind_is_removed(bakery: Bakery) -> None:
    bakery.keys["test"] = "ssh-ed25519 AAAAtest\nssh-rsa AAAAb root@build\n"
    with pytest.raises(ImageBuildFailed, match="host keys of the machine that it was made on: ssh-rsa"):
        baked(bakery)
    assert bakery.images == {}


@pytest.mark.parametrize(("key", "encrypts"), [("arn:aws:kms:...", True), ("", False)])
def test_an_image_that_is_not_encrypted_as_it_should_be_is_copied(bakery: Bakery, key: str, encrypts: bool) -> None:
    bakery.encrypts = encrypts
    made = baked(bakery, replace(ORDER, kms_key=key))
    assert bakery.happened[5:8] == ["create of i-build", f"copy ami-1 with the key {key!r}", "deregister ami-1"]
    assert list(bakery.images) == [made.image_id] == ["ami-2"]


def test_an_image_stuck_in_pending_is_given_up_in_time(bakery: Bakery) -> None:
    bakery.states = ["", "pending"]
    with pytest.raises(ImageBuildFailed, match="the image ami-1 is still pending after 300 s"):
        baked(bakery)
    assert 300 <= bakery.elapsed_s < 320
    assert_nothing_is_left(bakery)


def test_an_image_that_ec2_gives_up_is_told(bakery: Bakery) -> None:
    bakery.states = ["pending", "failed"]
    with pytest.raises(ImageBuildFailed, match="EC2 could not make the image ami-1: it is failed"):
        baked(bakery)


def test_an_image_is_shared_before_it_is_called_tested(bakery: Bakery) -> None:
    baked(bakery, replace(ORDER, share_with=("111122223333",)))
    assert bakery.happened[-2:] == ["share ami-1 with 111122223333", "tag ami-1 tested"]


@pytest.mark.parametrize(
    ("tags", "minutes", "is_up", "stays"),
    [
        ({BAKE_TAG: "old"}, 20, False, False),
        ({BAKE_TAG: "old"}, 20, True, True),
        ({BAKE_TAG: "old"}, 5, False, True),
        ({BAKE_TAG: "old", "rampart:status": "tested"}, 20, False, True),
        ({}, 20, False, True),
    ],
    ids=["broken", "still-being-tested", "between-its-machines", "finished", "not-baked"],
)
def test_an_image_that_a_killed_bake_left_is_removed_by_the_next(
    bakery: Bakery, tags: dict[str, str], minutes: int, is_up: bool, stays: bool
) -> None:
    created_at = START - timedelta(minutes=minutes)
    bakery.images["ami-old"] = MachineImage(
        "ami-old", "flowers-backend", created_at, "available", {"rampart:event": "flowers", **tags}
    )
    bakery.up = {"bake-old"} if is_up else set()
    baked(bakery)
    assert ("ami-old" in bakery.images) == stays


def test_progress_goes_through_the_states_of_a_build(bakery: Bakery) -> None:
    told: list[Progress] = []
    bakery.lines = {"test": ("Step Try",)}
    baked(bakery, audience=Audience(progress=told.append, estimate_s=100))
    states = list(dict.fromkeys(progress.state for progress in told))
    way = ["CREATING", "BUILDING", "TESTING", "DISTRIBUTING", "AVAILABLE"]
    assert states == [BuildState(name) for name in way]
    assert "base, phase test, step Try" in [progress.step for progress in told]
    assert "Step RemoveTraces" in [line for progress in told for line in progress.lines]
    assert all(progress.step == "" for progress in told if progress.state == BuildState.DISTRIBUTING)
    assert all(progress.left_s == 100 - progress.elapsed_s for progress in told)
