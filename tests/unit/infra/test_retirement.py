"""Which images are deleted, which never are, and by whom."""

from __future__ import annotations

import json

from infra.retirement import Retirement, RetirementArgs, ScheduledRecipe
from infra.tags import Labels
from tests.unit.infra import promises
from tests.unit.infra.recording import Recording, record

BOUNDARY = "arn:aws:iam::111122223333:policy/boundary"


def _retirement(scheduled: ScheduledRecipe | None = None, boundary: str | None = None) -> Recording:
    args = RetirementArgs(3, scheduled, "eu-west-3", boundary, Labels(event="iris", stack="iris"))

    def declare() -> None:
        Retirement("retirement", args)

    return record(declare)


def test_the_stacks_images_beyond_the_newest_ones_go_with_their_amis_and_snapshots() -> None:
    policy = _retirement().only(":LifecyclePolicy").inputs
    (detail,) = policy["policyDetails"]

    assert (policy["resourceType"], policy["status"]) == ("AMI_IMAGE", "ENABLED")
    assert policy["resourceSelection"] == {"tagMap": {"rampart:stack": "iris"}}
    assert detail["action"] == {"type": "DELETE", "includeResources": {"amis": True, "snapshots": True}}
    assert detail["filter"] == {"type": "COUNT", "value": 3}


def test_an_image_that_runs_may_be_started_from_or_that_is_marked_to_be_kept_never_goes() -> None:
    for policy in _retirement(ScheduledRecipe("rampart-iris-recipe-1", "1.0.7")).of(":LifecyclePolicy"):
        (detail,) = policy.inputs["policyDetails"]
        assert detail["exclusionRules"] == {
            "tagMap": {"rampart:keep": "true"},
            "amis": {
                "lastLaunched": {"unit": "DAYS", "value": 14},
                "tagMap": {"rampart:keep": "true", "rampart:status": "verified"},
            },
        }


def test_what_a_schedule_builds_has_no_tags_and_is_found_by_its_recipe() -> None:
    recording = _retirement(ScheduledRecipe("rampart-iris-recipe-1", "1.0.7"))
    selections = [each.inputs["resourceSelection"] for each in recording.of(":LifecyclePolicy")]

    assert selections == [
        {"tagMap": {"rampart:stack": "iris"}},
        {"recipes": [{"name": "rampart-iris-recipe-1", "semanticVersion": "1.0.7"}]},
    ]
    # Image Builder takes one kind of selection in a policy
    assert all(len(selection) == 1 for selection in selections)


def test_image_builder_alone_takes_the_role_and_both_policies_use_it() -> None:
    recording = _retirement(ScheduledRecipe("rampart-iris-recipe-1", "1.0.7"))
    (statement,) = json.loads(recording.only(":Role").inputs["assumeRolePolicy"])["Statement"]

    assert statement["Principal"] == {"Service": "imagebuilder.amazonaws.com"}
    assert {each.inputs["executionRole"] for each in recording.of(":LifecyclePolicy")} == {
        "arn:aws:test:::rampart-iris-retirement"
    }
    (_, _, images, _) = json.loads(recording.only(":RolePolicy").inputs["policy"])["Statement"]
    assert images["Resource"] == "arn:aws:imagebuilder:eu-west-3:*:image/rampart-iris-recipe-*"


def test_a_boundary_bounds_the_role() -> None:
    assert _retirement(boundary=BOUNDARY).only(":Role").inputs["permissionsBoundary"] == BOUNDARY


def test_everything_is_named_and_tagged_as_aws_takes_it() -> None:
    recording = _retirement(ScheduledRecipe("rampart-iris-recipe-1", "1.0.7"))

    assert promises.untagged(recording) == []
    assert promises.misnamed(recording) == []
