"""What the program declares for an event, as recorded by Pulumi's mocks."""

from __future__ import annotations

import json
import re
from collections import Counter
from ipaddress import IPv4Network
from typing import Any

import pytest
from pydantic import SecretStr

from contracts.errors import AskedWrongly, KeyFileInvalid
from contracts.event import EventConfig
from contracts.stack import StackOutputs
from imagebuilder import catalogue
from infra import program
from localcloud.deployer import table
from tests.unit.infra.conftest import PUBLIC_KEY, MakeEvent
from tests.unit.infra.recording import Recording, Registration, record


def _build(event: EventConfig) -> Recording:
    return record(lambda: program.build(event))


@pytest.fixture(scope="module")
def event(make_event: MakeEvent) -> EventConfig:
    return make_event()


@pytest.fixture(scope="module")
def recording(event: EventConfig) -> Recording:
    return _build(event)


def test_exactly_these_resources_are_declared(event: EventConfig, recording: Recording) -> None:
    found = Counter(each.type.rpartition(":")[2] for each in recording.resources())

    assert found == {
        "Vpc": 1,
        "InternetGateway": 1,
        "RouteTable": 1,
        "Route": 1,
        "Subnet": 2,
        "RouteTableAssociation": 2,
        "KeyPair": 1,
        "SecurityGroup": 2,
        "SecurityGroupIngressRule": 1,
        "SecurityGroupEgressRule": 2,
        "LaunchTemplate": 1,
        "Role": 1,
        "RolePolicyAttachment": 2,
        "InstanceProfile": 1,
        "Component": len(catalogue.components(event)),
        "ImageRecipe": 1,
        "InfrastructureConfiguration": 1,
        "DistributionConfiguration": 1,
        "ImagePipeline": 1,
    }


def test_the_local_deployer_can_make_every_declared_type_and_no_other(recording: Recording) -> None:
    assert {each.type for each in recording.resources()} == set(table.HANDLERS)


def test_the_outputs_are_those_the_house_reads(event: EventConfig, recording: Recording) -> None:
    outputs = StackOutputs.model_validate(recording.outputs)

    assert (outputs.stack, outputs.event, outputs.region) == ("iris", "iris", event.region)
    assert outputs.subnet_ids == ("id-rampart-iris-subnet-0", "id-rampart-iris-subnet-1")
    assert outputs.security_group_id == "id-rampart-iris-hosts"
    assert outputs.launch_template_id == "id-rampart-iris-host"
    assert outputs.image_pipeline_arn.endswith("rampart-iris-image")
    assert outputs.image_name == "iris-backend"


def test_two_runs_declare_the_same(event: EventConfig, recording: Recording) -> None:
    def sorted_by_name(each: Registration) -> tuple[str, str]:
        return each.type, each.name

    again = _build(event)

    assert sorted(again.registrations, key=sorted_by_name) == sorted(recording.registrations, key=sorted_by_name)
    assert again.outputs == recording.outputs


def test_hosts_are_reached_on_port_22_from_the_allowed_ranges_alone(recording: Recording) -> None:
    rule = recording.only(":SecurityGroupIngressRule").inputs

    assert (rule["ipProtocol"], rule["fromPort"], rule["toPort"]) == ("tcp", 22, 22)
    assert rule["cidrIpv4"] == "203.0.113.0/28"
    assert rule["securityGroupId"] == "id-rampart-iris-hosts"


def test_nothing_goes_out_of_hosts_and_only_the_web_out_of_builds(recording: Recording) -> None:
    ways_out = [each.inputs for each in recording.of(":SecurityGroupEgressRule")]

    assert {way["securityGroupId"] for way in ways_out} == {"id-rampart-iris-image-builder"}
    assert sorted((way["fromPort"], way["toPort"]) for way in ways_out) == [(80, 80), (443, 443)]
    for group in recording.of(":SecurityGroup"):
        assert "ingress" not in group.inputs
        assert "egress" not in group.inputs


def test_a_range_is_a_rule_of_its_own(make_event: MakeEvent) -> None:
    cidrs = (IPv4Network("203.0.113.0/28"), IPv4Network("198.51.100.7/32"))
    recording = _build(make_event(infra={"allowed_cidrs": cidrs}))

    names = [rule.name for rule in recording.of(":SecurityGroupIngressRule")]
    assert names == ["rampart-iris-ssh-from-198.51.100.7-32", "rampart-iris-ssh-from-203.0.113.0-28"]


@pytest.mark.parametrize(
    "open_to", [["0.0.0.0/0"], ["203.0.113.0/28", "0.0.0.0/0"], ["0.0.0.0/1", "128.0.0.0/1"], ["64.0.0.0/3"]]
)
def test_a_port_open_to_nearly_everybody_is_refused(make_event: MakeEvent, open_to: list[str]) -> None:
    cidrs = tuple(IPv4Network(cidr) for cidr in open_to)

    with pytest.raises(AskedWrongly, match=r"infra\.allowed_cidrs opens port 22"):
        _build(make_event(infra={"allowed_cidrs": cidrs}))


def test_hosts_nobody_could_reach_are_refused(make_event: MakeEvent) -> None:
    with pytest.raises(AskedWrongly, match=r"infra\.allowed_cidrs is empty"):
        _build(make_event(infra={"allowed_cidrs": ()}))


def test_a_host_is_launched_guarded(recording: Recording) -> None:
    template = recording.only(":LaunchTemplate").inputs

    assert template["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
        "instanceMetadataTags": "disabled",
    }
    assert template["instanceInitiatedShutdownBehavior"] == "terminate"
    assert template["vpcSecurityGroupIds"] == ["id-rampart-iris-hosts"]
    assert template["keyName"] == "rampart-iris-key"
    assert not {"iamInstanceProfile", "imageId", "userData", "networkInterfaces"} & set(template)
    (volume,) = template["blockDeviceMappings"]
    assert volume["ebs"] == {
        "volumeType": "gp3",
        "volumeSize": 20,
        "encrypted": "true",
        "deleteOnTermination": "true",
    }


def test_a_host_has_room_for_its_image(make_event: MakeEvent) -> None:
    event = make_event()
    image = event.infra.image.model_copy(update={"volume_gib": 40})
    recording = _build(make_event(infra={"image": image}))

    (volume,) = recording.only(":LaunchTemplate").inputs["blockDeviceMappings"]
    assert volume["ebs"]["volumeSize"] == 40


def test_builds_run_guarded_and_end_when_they_fail(recording: Recording) -> None:
    builds = recording.only(":InfrastructureConfiguration").inputs

    assert builds["instanceMetadataOptions"] == {"httpTokens": "required", "httpPutResponseHopLimit": 1}
    assert builds["terminateInstanceOnFailure"] is True
    assert builds["securityGroupIds"] == ["id-rampart-iris-image-builder"]
    assert builds["subnetId"] == "id-rampart-iris-subnet-0"
    assert builds["instanceProfileName"] == "rampart-iris-image-build"


def test_images_are_encrypted_and_made_of_the_catalogue_in_its_order(event: EventConfig, recording: Recording) -> None:
    recipe = recording.only(":ImageRecipe")
    components = catalogue.components(event)

    assert recipe.inputs["version"] == catalogue.recipe_version(event)
    assert recipe.inputs["parentImage"] == event.infra.image.parent_image
    steps = recipe.inputs["components"]
    assert [step["componentArn"].rpartition(":")[2] for step in steps] == [each.name for each in components]
    assert [{item["name"]: item["value"] for item in step["parameters"]} for step in steps] == [
        each.parameters for each in components
    ]
    (volume,) = recipe.inputs["blockDeviceMappings"]
    assert volume["ebs"]["encrypted"] == "true"


def test_superseded_versions_stay_and_nothing_else_does(recording: Recording) -> None:
    retained = {each.type.rpartition(":")[2] for each in recording.resources() if each.retained}

    assert retained == {"Component", "ImageRecipe"}


def test_an_image_is_named_by_its_build_date_and_tagged_as_tested(recording: Recording) -> None:
    (distribution,) = recording.only(":DistributionConfiguration").inputs["distributions"]
    ami = distribution["amiDistributionConfiguration"]

    assert ami["name"] == "iris-backend {{ imagebuilder:buildDate }}"
    assert ami["amiTags"] == {"rampart:event": "iris", "rampart:stack": "iris", "rampart:status": "tested"}
    assert "launchPermission" not in ami
    assert recording.only(":ImagePipeline").inputs["imageTestsConfiguration"] == {"imageTestsEnabled": True}


def test_the_build_role_is_taken_by_ec2_alone(recording: Recording) -> None:
    (statement,) = json.loads(recording.only(":Role").inputs["assumeRolePolicy"])["Statement"]

    assert statement["Principal"] == {"Service": "ec2.amazonaws.com"}
    assert [each.inputs["policyArn"] for each in recording.of(":RolePolicyAttachment")] == [
        "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore",
        "arn:aws:iam::aws:policy/EC2InstanceProfileForImageBuilder",
    ]


def test_everything_that_takes_tags_says_whose_it_is(recording: Recording) -> None:
    untaggable = {"Route", "RouteTableAssociation", "RolePolicyAttachment"}
    for each in recording.resources():
        if each.type.rpartition(":")[2] in untaggable:
            continue
        tags = each.inputs["tags"]
        assert tags["rampart:event"] == tags["rampart:stack"] == "iris", each.name
        assert tags["Name"] == each.name


def test_what_is_launched_says_whose_it_is(recording: Recording) -> None:
    specifications = recording.only(":LaunchTemplate").inputs["tagSpecifications"]

    assert [each["resourceType"] for each in specifications] == ["instance", "volume", "network-interface"]
    for each in specifications:
        assert each["tags"] == {"Name": "rampart-iris-host", "rampart:event": "iris", "rampart:stack": "iris"}


def test_texts_and_tags_are_of_the_letters_that_ec2_and_iam_take(recording: Recording) -> None:
    groups, everything = r"[a-zA-Z0-9. _:/()#,@\[\]+=&;{}!$*-]{1,255}", recording.resources()

    assert all(re.fullmatch(groups, each.inputs["description"]) for each in recording.of(":SecurityGroup"))
    assert re.fullmatch(r"[ -~]{1,1000}", recording.only(":Role").inputs["description"])
    assert len(recording.only(":LaunchTemplate").inputs["description"]) <= 255
    for key, value in {item for each in everything for item in each.inputs.get("tags", {}).items()}:
        assert re.fullmatch(r"(?!aws:)[\w .:/=+@-]{1,128}", key)
        assert re.fullmatch(r"[\w .:/=+@-]{0,256}", value)


def test_a_host_may_be_launched_into_any_subnet_of_its_groups_network(recording: Recording) -> None:
    template = recording.only(":LaunchTemplate").inputs

    # with an interface in the template EC2 refuses groups and a subnet beside it
    assert "networkInterfaces" not in template
    assert template["vpcSecurityGroupIds"] == ["id-rampart-iris-hosts"]
    # nobody gives a host an address: its subnet must
    assert all(each.inputs["mapPublicIpOnLaunch"] for each in recording.of(":Subnet"))


def test_every_resource_is_made_by_the_one_provider_of_the_events_region(recording: Recording) -> None:
    (provider,) = [each for each in recording.registrations if each.type == "pulumi:providers:aws"]

    assert provider.inputs["region"] == "eu-west-3"
    assert {each.provider.rpartition("::")[0].rpartition("::")[2] for each in recording.resources()} == {provider.name}


def test_every_resource_belongs_to_a_component(recording: Recording) -> None:
    assert {each.parent.rpartition("::")[2] for each in recording.resources()} == {
        "rampart-iris-network",
        "rampart-iris-access",
        "rampart-iris-images",
        "rampart-iris-hosts",
    }


def test_the_zones_are_the_first_of_the_region_by_name(recording: Recording) -> None:
    assert [each.inputs["availabilityZone"] for each in recording.of(":Subnet")] == ["eu-west-3a", "eu-west-3b"]
    assert [each.inputs["cidrBlock"] for each in recording.of(":Subnet")] == ["10.20.0.0/19", "10.20.32.0/19"]


def test_more_zones_than_the_region_has_are_refused(make_event: MakeEvent) -> None:
    with pytest.raises(Exception, match=r"write infra\.network\.availability_zones: 3"):
        _build(make_event(network={"availability_zones": 4}))


def test_the_default_network_is_looked_up_and_nothing_in_it_is_declared(make_event: MakeEvent) -> None:
    recording = _build(make_event(network={"vpc": "default"}))

    assert not [each for each in recording.resources() if each.type.endswith((":Vpc", ":Subnet", ":Route"))]
    assert recording.outputs["vpc_id"] == "vpc-default"
    assert recording.outputs["subnet_ids"] == ["subnet-default-a", "subnet-default-b"]
    assert recording.only(":InfrastructureConfiguration").inputs["subnetId"] == "subnet-default-a"


def test_the_key_pair_is_the_public_half_without_the_persons_name(recording: Recording) -> None:
    assert recording.only(":KeyPair").inputs["publicKey"] == PUBLIC_KEY


def test_an_existing_key_pair_is_used_and_none_declared(make_event: MakeEvent) -> None:
    recording = _build(make_event(worker={"key_name": "mine"}))

    assert recording.of(":KeyPair") == []
    assert recording.outputs["key_name"] == "mine"
    assert recording.only(":LaunchTemplate").inputs["keyName"] == "mine"


def test_a_missing_public_key_is_told_before_anything_is_declared(make_event: MakeEvent, tmp_path: Any) -> None:
    with pytest.raises(KeyFileInvalid, match=r"no public key at .*/key\.pub .*ssh-keygen"):
        _build(make_event(worker={"key_path": tmp_path / "key"}))


def test_no_secret_is_in_outputs_or_resources(make_event: MakeEvent) -> None:
    secrets = {"access_key_id": SecretStr("AKIAVERYSECRET"), "secret_access_key": SecretStr("verysecretindeed")}
    recording = _build(make_event(worker=secrets))

    told = json.dumps([recording.outputs, [each.inputs for each in recording.resources()]])
    assert "verysecret" not in told.lower()
    (provider,) = [each for each in recording.registrations if each.type == "pulumi:providers:aws"]
    for name in ("accessKey", "secretKey"):
        assert provider.inputs[name]["4dabf18193072939515e22adb298388d"] == "1b47061264138c4ac30d75fd1eb44270"
