"""The image pipeline: from which documents, where, when, and what becomes of an image."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import replace
from typing import Any

import pytest

from contracts.errors import AskedWrongly
from imagebuilder.catalogue import Component
from imagebuilder.kit_component import Upload
from infra.image_sources import Sources
from infra.images import Images, ImagesArgs
from infra.tags import Labels
from tests.unit.infra import promises
from tests.unit.infra.recording import Recording, record

SHORT = Component("rampart-iris-base", "1.0.11", "x" * 16_000, {"User": "ubuntu", "Home": "/home/ubuntu"}, "Base")
LONG = Component("rampart-iris-kit", "1.0.22", "y" * 16_001, {}, "Kit")
UPLOAD = Upload("components/kit-abc.tar.gz", b"kit", 64 * "a")
FETCHING = Component("rampart-iris-kit", "1.0.44", "z", {"KitUri": "s3://{bucket}/components/kit-abc.tar.gz"}, "Kit")
ASKING = Component("rampart-iris-private", "1.0.55", "z", {"LoginArn": "{secret:osf}", "Kept": "{other}"}, "Data")
KEY = "arn:aws:kms:eu-west-3:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ARGS = ImagesArgs(
    sources=Sources((SHORT,), (), "1.0.33"),
    parent_image="ami-0123456789abcdef0",
    ami_name="iris-backend {{ imagebuilder:buildDate }}",
    image_parameter="/imagebuilder/rampart/iris/image",
    instance_type="t3.medium",
    volume_gib=20,
    region="eu-west-3",
    subnet_id="subnet-1",
    security_group_id="sg-builder",
    profile_name="rampart-iris-image-build",
    schedule=None,
    log_retention_days=30,
    bucket=None,
    secret_arns={},
    kms_key=None,
    share_with=(),
    labels=Labels(event="iris", stack="iris"),
)


def _images(*components: Component, uploads: tuple[Upload, ...] = (), **changes: Any) -> Recording:
    args = replace(ARGS, sources=Sources(components or (SHORT,), uploads, "1.0.33"), **changes)

    def declare() -> dict[str, Any]:
        made = Images("images", args)
        return {"pipeline_arn": made.pipeline_arn, "log_group": made.log_group, "recipe_name": made.recipe_name}

    return record(declare)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return _images()


def test_the_names_of_what_is_there_already_stay(recording: Recording) -> None:
    assert {each.type.rpartition(":")[2]: each.name for each in recording.resources()} == {
        "Component": "rampart-iris-base",
        "ImageRecipe": "rampart-iris-recipe",
        "InfrastructureConfiguration": "rampart-iris-builds",
        "DistributionConfiguration": "rampart-iris-distribution",
        "ImagePipeline": "rampart-iris-image",
        "LogGroup": "rampart-iris-image-logs",
    }
    assert recording.outputs == {
        "pipeline_arn": "arn:aws:test:::rampart-iris-image",
        "log_group": "rampart-iris-image-logs",
        "recipe_name": "rampart-iris-recipe",
    }


def test_a_document_is_given_inline_as_long_as_image_builder_takes_it_so(recording: Recording) -> None:
    component = recording.only(":Component").inputs

    assert component["data"] == SHORT.data
    assert "uri" not in component
    assert recording.of(":BucketObjectv2") == []


def test_a_longer_one_lies_in_the_bucket_before_the_component_names_it() -> None:
    recording = _images(SHORT, LONG, bucket="rampart-iris-bucket-1")
    document, component = recording.only(":BucketObjectv2"), recording.named("rampart-iris-kit")

    assert document.inputs["key"] == "components/rampart-iris-kit/1.0.22.yml"
    assert document.inputs["content"] == LONG.data
    assert document.inputs["serverSideEncryption"] == "AES256"
    assert component.inputs["uri"] == "s3://rampart-iris-bucket-1/components/rampart-iris-kit/1.0.22.yml"
    assert component.depends_on(document.name)
    assert "data" not in component.inputs
    assert "data" in recording.named("rampart-iris-base").inputs
    assert len(document.inputs["tags"]) <= 10  # what S3 takes on an object
    assert promises.untagged(recording) == []
    assert promises.misnamed(recording) == []


def test_a_long_document_without_a_bucket_is_refused_before_anything_is_declared() -> None:
    with pytest.raises(AskedWrongly, match=r"rampart-iris-kit has 16001 characters.*infra\.storage\.bucket: true"):
        _images(LONG)


def test_a_kit_too_long_for_any_document_lies_in_the_bucket_before_a_recipe_names_it() -> None:
    recording = _images(FETCHING, uploads=(UPLOAD,), bucket="rampart-iris-bucket-1")
    kit, recipe = recording.only(":BucketObjectv2"), recording.only(":ImageRecipe")

    assert (kit.inputs["bucket"], kit.inputs["key"]) == ("rampart-iris-bucket-1", "components/kit-abc.tar.gz")
    assert b64decode(kit.inputs["contentBase64"]) == b"kit"
    assert kit.inputs["serverSideEncryption"] == "AES256"
    assert recipe.depends_on(kit.name)
    (step,) = recipe.inputs["components"]
    uri = "s3://rampart-iris-bucket-1/components/kit-abc.tar.gz"
    assert step["parameters"] == [{"name": "KitUri", "value": uri}]
    assert promises.untagged(recording) == []


@pytest.mark.parametrize(("components", "uploads"), [((FETCHING,), ()), ((SHORT,), (UPLOAD,))])
def test_whatever_reads_from_a_bucket_is_refused_without_one(
    components: tuple[Component, ...], uploads: tuple[Upload, ...]
) -> None:
    with pytest.raises(AskedWrongly, match=r"bucket.*infra\.storage\.bucket: true"):
        _images(*components, uploads=uploads)


def test_a_secret_is_named_by_its_arn_and_nothing_else_in_braces_is_touched() -> None:
    arn = "arn:aws:secretsmanager:eu-west-3:111122223333:secret:rampart-iris-secret-osf-AbCdEf"
    (step,) = _images(ASKING, secret_arns={"osf": arn}).only(":ImageRecipe").inputs["components"]

    assert step["parameters"] == [{"name": "Kept", "value": "{other}"}, {"name": "LoginArn", "value": arn}]


def test_a_secret_that_the_event_does_not_have_is_refused() -> None:
    with pytest.raises(AskedWrongly, match=r"does not have: osf .*infra\.secrets: \{osf: "):
        _images(ASKING, secret_arns={"bucket": "arn"})


def test_superseded_versions_stay_with_the_kits_they_read_and_nothing_else_does() -> None:
    recording = _images(SHORT, LONG, uploads=(UPLOAD,), bucket="rampart-iris-bucket-1")

    assert {each.name for each in recording.resources() if each.retained} == {
        "rampart-iris-base",
        "rampart-iris-kit",
        "rampart-iris-recipe",
        "rampart-iris-image-upload-1",
    }


def test_a_recipe_leaves_no_agent_and_marks_its_image_from_the_first_moment_on(recording: Recording) -> None:
    recipe = recording.only(":ImageRecipe").inputs

    assert recipe["systemsManagerAgent"] == {"uninstallAfterBuild": True}
    assert recipe["amiTags"] == {"rampart:event": "iris", "rampart:stack": "iris", "rampart:recipe": "1.0.33"}


def test_an_image_is_shared_with_the_named_accounts_alone_and_encrypted_by_a_key_they_may_use() -> None:
    recording = _images(kms_key=KEY, share_with=("444455556666", "111122223333"))
    (distribution,) = recording.only(":DistributionConfiguration").inputs["distributions"]
    (volume,) = recording.only(":ImageRecipe").inputs["blockDeviceMappings"]

    assert distribution["amiDistributionConfiguration"]["launchPermission"] == {
        "userIds": ["111122223333", "444455556666"]
    }
    assert volume["ebs"]["kmsKeyId"] == KEY


def test_the_recipe_lists_the_components_in_order_with_their_parameters() -> None:
    recipe = _images(SHORT, LONG, bucket="b").only(":ImageRecipe").inputs

    assert (recipe["version"], recipe["parentImage"]) == ("1.0.33", "ami-0123456789abcdef0")
    assert [step["componentArn"] for step in recipe["components"]] == [
        "arn:aws:test:::rampart-iris-base",
        "arn:aws:test:::rampart-iris-kit",
    ]
    assert recipe["components"][0]["parameters"] == [
        {"name": "Home", "value": "/home/ubuntu"},
        {"name": "User", "value": "ubuntu"},
    ]
    (volume,) = recipe["blockDeviceMappings"]
    assert volume["ebs"] == {
        "volumeType": "gp3",
        "volumeSize": 20,
        "encrypted": "true",
        "deleteOnTermination": "true",
    }


def test_builds_run_guarded_and_end_when_they_fail(recording: Recording) -> None:
    builds = recording.only(":InfrastructureConfiguration").inputs

    assert builds["instanceMetadataOptions"] == {"httpTokens": "required", "httpPutResponseHopLimit": 1}
    assert builds["terminateInstanceOnFailure"] is True
    assert (builds["subnetId"], builds["securityGroupIds"]) == ("subnet-1", ["sg-builder"])
    assert builds["instanceProfileName"] == "rampart-iris-image-build"
    assert "keyPair" not in builds


def test_a_tested_image_is_named_by_its_date_tagged_private_and_told_to_the_parameter(recording: Recording) -> None:
    (distribution,) = recording.only(":DistributionConfiguration").inputs["distributions"]
    ami = distribution["amiDistributionConfiguration"]

    assert ami["name"] == "iris-backend {{ imagebuilder:buildDate }}"
    assert ami["amiTags"]["rampart:status"] == "tested"
    assert ami["amiTags"]["rampart:recipe"] == "1.0.33"
    assert "launchPermission" not in ami
    assert distribution["ssmParameterConfigurations"] == [
        {"parameterName": "/imagebuilder/rampart/iris/image", "dataType": "aws:ec2:image"}
    ]
    assert recording.only(":ImagePipeline").inputs["imageTestsConfiguration"] == {"imageTestsEnabled": True}


def test_builds_and_pipeline_log_where_image_builder_may_and_for_the_days_asked(recording: Recording) -> None:
    group, pipeline = recording.only(":LogGroup"), recording.only(":ImagePipeline")

    assert group.inputs["namePrefix"].startswith("/aws/imagebuilder/")
    assert re.fullmatch(r"[a-zA-Z0-9_/.-]{1,480}", group.inputs["namePrefix"])
    assert group.inputs["retentionInDays"] == 30
    assert set(pipeline.inputs["loggingConfiguration"].values()) == {group.name}
    assert pipeline.depends_on(group.name)


def test_an_image_is_built_when_asked_or_on_schedule_where_there_is_something_new(recording: Recording) -> None:
    scheduled = _images(schedule="cron(0 3 ? * MON *)").only(":ImagePipeline").inputs

    assert "schedule" not in recording.only(":ImagePipeline").inputs
    assert scheduled["schedule"] == {
        "scheduleExpression": "cron(0 3 ? * MON *)",
        "timezone": "Etc/UTC",
        "pipelineExecutionStartCondition": "EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE",
    }


def test_everything_is_named_and_tagged_as_aws_takes_it(recording: Recording) -> None:
    assert promises.untagged(recording) == []
    assert promises.misnamed(recording) == []
