"""An event's image is built both ways, looked at, offered only where it is fit, and a host of it is ready to run."""

from __future__ import annotations

import json
import shlex
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from threading import Event

import pytest
from invoke.context import Context

from clients import keys
from contracts.errors import ImageBuildFailed, ImageNotFound
from contracts.image import (
    BAKE_TAG,
    EVENT_TAG,
    PREFIX,
    RECIPE_TAG,
    STATUS_TAG,
    ImageReference,
    ImageStatus,
    MachineImage,
)
from imagebuilder import catalogue
from imagebuilder.building import build
from localcloud.machines import Level
from runner.app import open_canary_records, open_image_records
from tasks import baking, canary, verifying
from tests.integration.imagebuilder.stacks import Stack

BREAKS_THE_DATA = """
def get_train_data(path="."):
    raise ValueError("no data on this machine")
"""
# with programs that do nothing: what the real ones show is seen on the other images, and takes seconds
LEAVES_CREDENTIALS = """set -e
mkdir -p ~/.aws
echo '[default]' > ~/.aws/credentials
sed -i -E 's:"[^"]*/bin/(python|ramp-test)":"/bin/true":g' ~/.rampart/layout.json"""


@dataclass(frozen=True)
class Made:
    """The image of each way, what the pipeline's build told meanwhile, and the instances left by both."""

    built: ImageReference
    baked: ImageReference | None
    lines: tuple[str, ...]
    left: list[str]


@pytest.fixture(scope="module")
def made(stack: Stack) -> Made:
    """Images that the tests here share, for they take the longest of all; made at the same time."""
    told: list[build.Progress] = []
    with ThreadPoolExecutor(1) as beside:
        building = beside.submit(stack.build, build.Audience(progress=told.append))
        baked = baking.bake(stack.event, stack.outputs) if _has_disks(stack) else None
        built = building.result()
    lines = tuple(line for progress in told for line in progress.lines)
    return Made(built, baked, lines, stack.instances())


@pytest.fixture
def image(stack: Stack, made: Made) -> MachineImage:
    """What the pipeline built, as its build left it, whatever a test before said of it."""
    return stack.mark(made.built.image_id, ImageStatus.TESTED)


@pytest.fixture
def above_plain(stack: Stack) -> None:
    if not _has_disks(stack):
        pytest.skip("machines at the level plain have no disk of their own")


def _has_disks(stack: Stack) -> bool:
    return stack.cloud.local.level != Level.PLAIN


def test_a_host_launched_from_the_built_image_has_the_challenge_ready(
    stack: Stack, made: Made, image: MachineImage
) -> None:
    assert made.built.status is ImageStatus.TESTED
    assert any("Bagged scores" in line for line in made.lines)
    assert made.left == []

    chosen = stack.offered(require_verified=False)
    newest = max((one for one in (made.built, made.baked) if one), key=lambda one: (one.created_at, one.image_id))
    assert (chosen.image_id, chosen.name, chosen.status) == (newest.image_id, newest.name, ImageStatus.TESTED)

    with stack.host(image.image_id) as (_, address):
        answer = stack.cloud.ssh(address, "cat ~/.rampart/layout.json")
        layout = json.loads(answer.stdout)
        assert sorted(layout) == ["data_dir", "kit_dir", "python", "ramp_test"]
        quick_test = f"cd {layout['kit_dir']} && {layout['ramp_test']} --submission starting_kit --quick-test"
        assert b"Bagged scores" in stack.cloud.ssh(address, quick_test).stdout


@pytest.mark.usefixtures("above_plain")
def test_both_ways_make_a_tested_image_with_the_same_tree(stack: Stack, made: Made) -> None:
    assert made.baked is not None
    assert (made.baked.status, made.built.status) == (ImageStatus.TESTED, ImageStatus.TESTED)
    assert made.left == []

    tree = stack.tree(made.baked.image_id)
    assert tree == stack.tree(made.built.image_id)
    names = {line.split()[1] for line in tree[:-1]}
    assert names >= {"kits/iris/problem.py", "provenance.json", "layout.json"}

    recipe = catalogue.recipe_version(stack.event)
    tags = stack.image(made.baked.image_id).tags
    assert tags.items() >= {EVENT_TAG: stack.event.name, STATUS_TAG: "tested", RECIPE_TAG: recipe}.items()
    assert BAKE_TAG in tags


def test_an_image_is_offered_once_a_host_of_it_was_looked_at_and_found_fit(stack: Stack, image: MachineImage) -> None:
    with pytest.raises(ImageNotFound, match="it is not verified"):
        stack.offered(require_verified=True)
    seen = verifying.verify(stack.event, image)
    assert [check for check in seen.checks if not check.passed] == []
    names = {"answers over SSH", "files", "environment", "quick test", "submission user", "credentials", "private"}
    assert {check.name for check in seen.checks} >= names
    assert stack.image(image.image_id).status is ImageStatus.VERIFIED

    record = open_image_records(stack.event).get(stack.event.name, image.image_id)
    assert record is not None
    assert (record.status, record.checks, record.boot_s) == (ImageStatus.VERIFIED, seen.checks, seen.boot_s)
    assert record.boot_s
    assert record.verified_at
    assert record.provenance.recipe == catalogue.recipe_version(stack.event)
    assert record.provenance.parent_image == stack.cloud.image()
    assert record.provenance.kit
    assert record.provenance.data
    assert any(name.endswith("-ramp-test") for name in record.provenance.components)

    assert stack.offered(require_verified=True).image_id == image.image_id
    assert stack.instances() == []


@pytest.mark.usefixtures("above_plain")
def test_a_canary_on_a_rented_host_of_an_image_is_stopped_and_remembered(
    stack: Stack, image: MachineImage, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.mark(image.image_id, ImageStatus.VERIFIED)
    is_strong = stack.cloud.local.level == Level.FULL
    with nullcontext() if is_strong else pytest.raises(SystemExit):
        canary.canary(Context(), event=str(stack.event.path), json=True)
    told = json.loads(capsys.readouterr().out)
    outcomes = {one["name"]: one["outcome"] for one in told["attempts"]}
    assert told["stopped"] >= 20
    assert told["is_strict"] == is_strong
    if is_strong:
        assert told["not_stopped"] == []
        assert {outcomes["metadata"], outcomes["metadata-token"]} == {"stopped"}
        assert outcomes["labels"] == "stopped"

    record = open_canary_records(stack.event).last(stack.event.name, stack.offered(require_verified=True).image_id)
    assert record is not None
    assert (record.tried, list(record.not_stopped)) == (told["tried"], told["not_stopped"])
    assert stack.instances() == []


@pytest.mark.usefixtures("above_plain")
def test_an_image_whose_quick_test_fails_on_its_host_is_rejected_with_the_end_of_its_log(
    stack: Stack, image: MachineImage, capsys: pytest.CaptureFixture[str]
) -> None:
    breaks = f"printf %s {shlex.quote(BREAKS_THE_DATA)} | sudo -n tee -a {PREFIX}/kits/iris/problem.py"
    with stack.changed(image.image_id, breaks) as broken:
        with pytest.raises(SystemExit) as ended:
            verifying.verify_ami(Context(), event=str(stack.event.path), image=broken.image_id)
        assert ended.value.code == 1
        printed = capsys.readouterr()
        title, *rows = printed.out.splitlines()
        assert broken.image_id in title
        assert title.endswith(": rejected")
        [row] = [row for row in rows if "NOT ok" in row]
        assert row.split("NOT ok") == ["  quick test         ", "  ValueError: no data on this machine"]
        assert "  | ValueError: no data on this machine" in printed.err.splitlines()
        assert_refused(stack, broken)
        assert stack.offered(require_verified=False).image_id != broken.image_id  # which is the newest of the name


@pytest.mark.usefixtures("above_plain")
def test_credentials_that_were_left_in_an_images_home_are_found(stack: Stack, image: MachineImage) -> None:
    with stack.changed(image.image_id, LEAVES_CREDENTIALS) as leaking:
        seen = verifying.verify(stack.event, leaking)
        [check] = [check for check in seen.checks if not check.passed]
        assert check.name == "credentials"
        assert check.detail.endswith("/.aws/credentials")
        assert_refused(stack, leaking)


def test_an_image_whose_host_shows_another_key_than_it_was_given_is_rejected(
    stack: Stack, image: MachineImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    (given, _), (_, expected) = keys.new_host_key(), keys.new_host_key()
    monkeypatch.setattr(keys, "new_host_key", lambda: (given, expected))
    seen = verifying.verify(stack.event, image)
    [check] = seen.checks
    assert (check.name, check.passed) == ("answers over SSH", False)
    assert "host key" in check.detail
    assert_refused(stack, image)


def assert_refused(stack: Stack, image: MachineImage) -> None:
    """Hold that an image was found unfit, is not offered, and that its host is gone."""
    assert stack.image(image.image_id).status is ImageStatus.REJECTED
    record = open_image_records(stack.event).get(stack.event.name, image.image_id)
    assert record is not None
    assert record.status is ImageStatus.REJECTED
    with pytest.raises(ImageNotFound, match="no verified image") as caught:
        stack.offered(require_verified=True)
    assert f"{image.image_id} {image.name!r}: it was found unfit" in caught.value.hint
    assert stack.instances() == []


def test_a_kit_whose_quick_test_fails_leaves_no_image_and_tells_step_and_log(own_stack: Stack) -> None:
    (own_stack.kit / "submissions" / "starting_kit" / "estimator.py").write_text("raise ValueError('not today')\n")
    own_stack.up()
    with pytest.raises(ImageBuildFailed) as caught:
        own_stack.build()
    assert caught.value.step.endswith("phase test, step QuickTest")
    assert any("not today" in line for line in caught.value.log_tail)
    assert own_stack.instances() == []
    with pytest.raises(ImageNotFound):
        own_stack.offered(require_verified=False)


def test_an_interrupted_build_leaves_no_instance(stack: Stack) -> None:
    interruptions = iter([KeyboardInterrupt()])

    def interrupt(pause_s: float) -> None:
        for interruption in interruptions:
            raise interruption
        Event().wait(pause_s)

    with pytest.raises(KeyboardInterrupt):
        stack.build(patience=build.Patience(wait=interrupt))
    assert stack.instances() == []


def test_an_up_that_was_interrupted_and_forgotten_does_not_hinder_the_next_one(stack: Stack) -> None:
    forgotten = stack.outputs
    # as after a process that was killed at each resource between its creation and the note of it
    (stack.event.state_dir / "stack.json").unlink()
    assert stack.up().image_pipeline_arn != forgotten.image_pipeline_arn
