"""What the whole program declares for an event, as recorded by Pulumi's mocks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from pydantic import SecretStr

from contracts.errors import AskedWrongly, KeyFileInvalid
from contracts.event import ClusterKind, EventConfig
from contracts.stack import StackOutputs
from imagebuilder import catalogue
from infra import declared, program
from localcloud.deployer import table
from localcloud.deployer.lookups import LOOKUPS
from tests.unit.infra import promises
from tests.unit.infra.conftest import MakeEvent
from tests.unit.infra.events import EXAMPLES, OPTIONS, event_with, example
from tests.unit.infra.recording import Recording, Registration, record

OfOption = Callable[[str], Recording]
IMAGE = "ami-0abc1234def567890"
SECRET = "4dabf18193072939515e22adb298388d"
"""Under this key Pulumi wraps what is secret."""


def _build(event: EventConfig, *, has_image: bool = True) -> Recording:
    ids = [IMAGE] if has_image else []
    return record(lambda: program.build(event), stack=event.name, answers={"aws:ec2/getAmiIds:getAmiIds": {"ids": ids}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("deployment")


@pytest.fixture(scope="module")
def recorded(folder: Path) -> OfOption:
    """Each option's recording, made once."""
    return cache(lambda option: _build(event_with(OPTIONS[option], folder / option)))


@pytest.fixture(scope="module")
def of_example(folder: Path) -> OfOption:
    """Each ready event's recording, made once."""
    return cache(lambda name: _build(example(name, folder / "state")))


def _counts(recording: Recording) -> Counter[str]:
    return Counter(each.type.rpartition(":")[2] for each in recording.resources())


OF_EVERY_EVENT = {
    "Vpc": 1,
    "DefaultSecurityGroup": 1,
    "InternetGateway": 1,
    "RouteTable": 1,
    "Route": 1,
    "Subnet": 2,
    "RouteTableAssociation": 2,
    "VpcEndpoint": 1,
    "KeyPair": 1,
    "SecurityGroup": 3,
    "SecurityGroupIngressRule": 2,
    "SecurityGroupEgressRule": 5,
    "LaunchTemplate": 1,
    "Role": 2,
    "RolePolicy": 1,
    "RolePolicyAttachment": 2,
    "InstanceProfile": 1,
    "LogGroup": 1,
    "Component": 7,
    "ImageRecipe": 1,
    "InfrastructureConfiguration": 1,
    "DistributionConfiguration": 1,
    "ImagePipeline": 1,
    "LifecyclePolicy": 1,
}
BESIDES: dict[str, dict[str, int]] = {
    "iris": {},
    "spot": {
        # private subnets over three zones, and the public one beside them
        **{"Subnet": 2, "RouteTable": 1, "RouteTableAssociation": 2},
        # the jump host between its group and the hosts'
        **{"Instance": 1, "SecurityGroup": 1, "SecurityGroupIngressRule": 1, "SecurityGroupEgressRule": 1},
        **{"LaunchTemplate": 1, "Fleet": 1, "EventRule": 1, "EventTarget": 1, "Queue": 1, "QueuePolicy": 1},
        "Budget": 1,
    },
    "dask": {
        **{"Bucket": 1, "BucketPublicAccessBlock": 1, "BucketOwnershipControls": 1, "BucketVersioning": 1},
        **{"BucketServerSideEncryptionConfiguration": 1, "BucketLifecycleConfiguration": 1, "BucketPolicy": 1},
        **{"FileSystem": 1, "MountTarget": 2, "AccessPoint": 1, "FileSystemPolicy": 1, "Secret": 1, "RolePolicy": 2},
        **{"Instance": 1, "LaunchTemplate": 2, "Fleet": 1, "LifecyclePolicy": 1, "Component": 1},
        **{"EventRule": 1, "EventTarget": 1, "Queue": 1, "QueuePolicy": 1},
        # all its machines, scheduler, workers, files
        "SecurityGroup": 4,
        "SecurityGroupIngressRule": 8,
        "SecurityGroupEgressRule": 7,
    },
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_exactly_these_resources_are_declared_for_a_ready_event(name: str, of_example: OfOption) -> None:
    assert _counts(of_example(name)) == Counter(OF_EVERY_EVENT) + Counter(BESIDES[name])


def test_every_promise_is_kept_whatever_the_event_asks_for(recorded: OfOption) -> None:
    for option in OPTIONS:
        recording = recorded(option)

        assert promises.untagged(recording) == [], option
        assert promises.misnamed(recording) == [], option
        assert promises.badly_described(recording) == [], option
        assert promises.let_the_world_in(recording) == [], option
        assert promises.unguarded(recording) == [], option
        assert promises.unencrypted(recording) == [], option
        assert promises.with_credentials(recording) == [], option
        assert promises.unordered(recording) == [], option


def test_user_data_is_small_ends_the_machine_and_holds_no_key(recorded: OfOption) -> None:
    for option in OPTIONS:
        for name, text in promises.user_data(recorded(option)):
            assert len(text.encode()) < 16_384
            assert "PRIVATE" not in text
            assert "shutdown" in text or name.endswith("jump-host")


@pytest.mark.parametrize("option", ["nothing", "everything"])
def test_two_runs_declare_the_same(option: str, recorded: OfOption, folder: Path) -> None:
    def in_order(recording: Recording) -> list[Registration]:
        return sorted(recording.registrations, key=lambda each: (each.type, each.name))

    first, again = recorded(option), _build(event_with(OPTIONS[option], folder / option))

    assert in_order(again) == in_order(first)
    assert again.outputs == first.outputs


def test_the_outputs_are_those_the_house_reads_and_hold_no_secret(recorded: OfOption) -> None:
    for option in OPTIONS:
        outputs = StackOutputs.model_validate(recorded(option).outputs)

        assert (outputs.stack, outputs.event, outputs.region) == ("iris", "iris", "eu-west-3")
        assert SECRET not in json.dumps(recorded(option).outputs)
        assert "None" not in outputs.model_dump_json()


def test_who_builds_is_told_the_recipe_that_is_deployed_and_the_profile_that_builders_take(
    recorded: OfOption, folder: Path
) -> None:
    recording = recorded("nothing")
    event = event_with(OPTIONS["nothing"], folder / "nothing")

    assert recording.outputs["recipe_version"] == catalogue.recipe_version(event)
    assert recording.outputs["recipe_version"] == recording.only(":ImageRecipe").inputs["version"]
    assert recording.outputs["build_profile_name"] == "rampart-iris-image-build"


def test_private_data_is_found_by_the_build_alone(recorded: OfOption) -> None:
    stored = recorded("image-from-buckets")
    policy = stored.named("rampart-iris-image-build-read-elsewhere").inputs["policy"]
    assert "arn:aws:s3:::challenges/iris/private/*" in policy
    assert "arn:aws:s3:::challenges/iris-kit.tar.gz" in policy

    asked = recorded("image-with-login")
    given = [
        parameter["value"]
        for step in asked.only(":ImageRecipe").inputs["components"]
        for parameter in step.get("parameters", [])
    ]
    assert "arn:aws:test:::rampart-iris-secret-osf" in given
    assert not [value for value in given if "{secret" in value or "{bucket" in value]


def test_every_resource_is_on_the_list_of_what_is_declared(recorded: OfOption) -> None:
    for option in OPTIONS:
        for each in recorded(option).resources():
            declared.row_of(each.type, each.name.removeprefix("rampart-iris-"))


def test_the_list_of_what_is_declared_holds_nothing_else(recorded: OfOption) -> None:
    made = {
        declared.row_of(each.type, each.name.removeprefix("rampart-iris-"))
        for option in OPTIONS
        for each in recorded(option).resources()
    }

    assert set(declared.ROWS) - made == set()


def test_the_local_deployer_can_make_every_declared_type_and_no_other(recorded: OfOption) -> None:
    declared_types = {each.type for option in OPTIONS for each in recorded(option).resources()}
    # a document too long for the API, and a value for a secret, need more than an option
    declared_types |= {"aws:s3/bucketObjectv2:BucketObjectv2", "aws:secretsmanager/secretVersion:SecretVersion"}

    assert declared_types == set(table.HANDLERS)


def test_the_local_deployer_answers_every_question_of_the_program(recorded: OfOption) -> None:
    asked = {lookup.token for option in OPTIONS for lookup in recorded(option).lookups}

    assert asked <= set(LOOKUPS)


def test_names_fit_aws_even_for_the_longest_event(folder: Path) -> None:
    event = event_with(OPTIONS["everything"], folder / "long", name="e" * 64)

    assert promises.misnamed(_build(event)) == []


def test_hosts_reach_nothing_unless_the_event_asks(recorded: OfOption) -> None:
    for option in OPTIONS:
        ways_out = [
            each
            for each in recorded(option).of(":SecurityGroupEgressRule")
            if each.inputs["securityGroupId"] == "id-rampart-iris-hosts"
        ]
        assert bool(ways_out) == ("host_egress" in OPTIONS[option]), option
        assert all(each.inputs["cidrIpv4"] != "0.0.0.0/0" for each in ways_out)


@pytest.mark.parametrize("option", ["spot-fleet", "fleet-on-demand", "legacy-fleet", "dask"])
def test_machines_that_are_kept_up_have_an_end_and_their_number_is_left_alone(option: str, recorded: OfOption) -> None:
    recording = recorded(option)
    (fleet,) = [*recording.of(":Fleet"), *recording.of(":SpotFleetRequest")]

    assert fleet.inputs["validUntil"] == "2027-03-31T18:00:00Z"
    assert fleet.inputs["terminateInstancesWithExpiration"] is True
    assert any("argetCapacity" in path for path in fleet.ignored)


def test_a_cluster_that_a_loop_starts_is_declared_without_a_machine(folder: Path) -> None:
    event = event_with(OPTIONS["dask"], folder / "dask-of-a-loop")
    worker = event.worker.model_copy(update={"worker_type": "dask", "cluster": ClusterKind.EC2})

    recording = _build(event.model_copy(update={"worker": worker}))

    assert recording.of(":Instance") == recording.of(":Fleet") == []
    outputs = StackOutputs.model_validate(recording.outputs)
    assert outputs.dask_scheduler_template_id == "id-rampart-iris-dask-scheduler"
    assert outputs.dask_worker_template_id == "id-rampart-iris-dask-worker"
    assert (outputs.dask_min, outputs.dask_max, outputs.dask_group_id) == (0, 10, "id-rampart-iris-dask")
    assert (outputs.dask_scheduler_id, outputs.dask_worker_fleet_id) == ("", "")


def test_what_needs_an_image_waits_for_it(folder: Path) -> None:
    event = event_with(OPTIONS["everything"], folder / "no-image")

    recording = _build(event, has_image=False)

    assert recording.outputs["waits_for_image"] == ["fleet", "dask"]
    assert recording.of(":Fleet") == []
    assert [each.name for each in recording.of(":Instance")] == ["rampart-iris-jump-host"]
    assert _build(event).outputs["waits_for_image"] == []


def test_the_hosts_of_single_runs_cannot_mount_what_is_shared(recorded: OfOption) -> None:
    clients = {
        each.inputs["referencedSecurityGroupId"]
        for each in recorded("everything").of(":SecurityGroupIngressRule")
        if each.inputs["fromPort"] == 2049
    }

    assert "id-rampart-iris-server" in clients
    assert "id-rampart-iris-hosts" not in clients


def test_a_secrets_value_goes_to_the_secret_and_nowhere_else(folder: Path) -> None:
    event = event_with(OPTIONS["secrets"], folder / "valued")

    recording = record(lambda: program.build(event), config={"rampart:secret-osf": "hunter2"})

    (version,) = recording.of(":SecretVersion")
    assert version.inputs["secretString"] == {SECRET: "1b47061264138c4ac30d75fd1eb44270", "value": "hunter2"}
    others = [each.inputs for each in recording.registrations if each is not version]
    assert "hunter2" not in json.dumps([others, recording.outputs])


def test_only_image_builds_may_read_the_secrets(recorded: OfOption) -> None:
    readers = [each for each in recorded("everything").of(":RolePolicy") if "GetSecretValue" in each.inputs["policy"]]

    assert [each.inputs["role"] for each in readers] == ["rampart-iris-image-build"]


def test_a_long_document_brings_a_bucket(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    event = event_with({}, folder / "nothing")
    (first, *others) = catalogue.components(event)
    long = [type(first)(first.name, first.version, "#" * 20_000, first.parameters, first.description), *others]
    monkeypatch.setattr(catalogue, "components", lambda _: tuple(long))

    recording = _build(event)

    assert len(recording.of("s3/bucket:Bucket")) == len(recording.of(":BucketObjectv2")) == 1
    assert recording.outputs["bucket"] == "id-rampart-iris-bucket"


def test_the_cost_center_is_on_everything_that_takes_tags(recorded: OfOption) -> None:
    for each in recorded("budget").resources():
        assert each.inputs.get("tags", {}).get("rampart:cost-center", "physics 2027") == "physics 2027"
        assert ("tags" not in each.inputs) or "rampart:cost-center" in each.inputs["tags"], each.name


def test_a_boundary_bounds_every_role(recorded: OfOption) -> None:
    boundary = OPTIONS["bounded"]["permissions_boundary"]

    roles = recorded("bounded").of(":Role")
    assert len(roles) == 4
    assert {each.inputs["permissionsBoundary"] for each in roles} == {boundary}


def test_superseded_versions_and_what_the_event_keeps_stay(recorded: OfOption) -> None:
    def retained(option: str) -> set[str]:
        return {each.type.rpartition(":")[2] for each in recorded(option).resources() if each.retained}

    assert retained("bucket") == {"Component", "ImageRecipe"}
    assert {"Bucket", "FileSystem"} <= retained("kept-storage")


def test_every_resource_is_made_by_the_one_provider_of_the_events_region(recorded: OfOption) -> None:
    recording = recorded("everything")
    (provider,) = [each for each in recording.registrations if each.type == "pulumi:providers:aws"]

    assert provider.inputs["region"] == "eu-west-3"
    assert {each.provider.rpartition("::")[0].rpartition("::")[2] for each in recording.resources()} == {provider.name}


def test_every_resource_belongs_to_a_component(recorded: OfOption) -> None:
    for each in recorded("everything").resources():
        assert "rampart:infra:" in each.parent, each.name


def test_an_existing_key_pair_is_used_and_none_declared(make_event: MakeEvent) -> None:
    recording = _build(make_event(worker={"key_name": "mine"}))

    assert recording.of(":KeyPair") == []
    assert recording.outputs["key_name"] == "mine"
    assert recording.only(":LaunchTemplate").inputs["keyName"] == "mine"


def test_a_missing_public_key_is_told_before_anything_is_declared(make_event: MakeEvent, tmp_path: Path) -> None:
    with pytest.raises(KeyFileInvalid, match=r"no public key at .*/key\.pub .*ssh-keygen"):
        _build(make_event(worker={"key_path": tmp_path / "key"}))


def test_hosts_nobody_could_reach_are_refused(make_event: MakeEvent) -> None:
    with pytest.raises(AskedWrongly, match=r"infra\.allowed_cidrs is empty"):
        _build(make_event(infra={"allowed_cidrs": ()}))


def test_no_credential_of_the_event_file_is_in_outputs_or_resources(make_event: MakeEvent) -> None:
    secrets = {"access_key_id": SecretStr("AKIAVERYSECRET"), "secret_access_key": SecretStr("verysecretindeed")}
    recording = _build(make_event(worker=secrets))

    told = json.dumps([recording.outputs, [each.inputs for each in recording.resources()]])
    assert "verysecret" not in told.lower()
    (provider,) = [each for each in recording.registrations if each.type == "pulumi:providers:aws"]
    for name in ("accessKey", "secretKey"):
        assert provider.inputs[name][SECRET] == "1b47061264138c4ac30d75fd1eb44270"
