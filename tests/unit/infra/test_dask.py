"""A Dask cluster of the event's own: who reaches whom, what it is made of."""

from __future__ import annotations

import base64
from collections import Counter
from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import Any

import pytest
import yaml

from contracts.errors import AskedWrongly
from contracts.infra import DaskCluster
from infra import naming
from infra.dask import Cluster, ClusterArgs, ClusterTemplates
from infra.tags import Labels
from tests.unit.infra.recording import Recording, record

END = datetime(2027, 3, 31, 18, tzinfo=UTC)
COMMON, SCHEDULER, WORKERS = ("id-rampart-iris-dask", "id-rampart-iris-dask-scheduler", "id-rampart-iris-dask-workers")


def _args(*, event: str = "iris", way_in: str | None = None, cidrs: tuple[str, ...] = (), **dask: Any) -> ClusterArgs:
    return ClusterArgs(
        settings=DaskCluster(valid_until=END, **dask),
        host_types=("t3.medium", "c7i.large"),
        image_id="ami-1",
        volume_gib=30,
        user="ubuntu",
        n_threads=2,
        environment_prefix="/opt/rampart/env",
        vpc_id="vpc-1",
        subnet_ids=["subnet-a", "subnet-b"],
        server_group_id="sg-server",
        way_in_group_id=way_in,
        allowed_cidrs=tuple(IPv4Network(cidr) for cidr in cidrs),
        key_name="key",
        region="eu-west-3",
        permissions_boundary=None,
        labels=Labels(event, event),
    )


def _declared(**settings: Any) -> Recording:
    args = _args(**settings)

    def declare() -> dict[str, object]:
        cluster = Cluster("cluster", args)
        return {
            "scheduler": cluster.scheduler_id,
            "address": cluster.scheduler_address,
            "workers": cluster.worker_fleet_id,
            "group": cluster.group_id,
        }

    return record(declare)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return _declared(cidrs=("203.0.113.0/28",))


def _rules(recording: Recording, kind: str) -> set[tuple[str, str, int, int]]:
    """Each rule as its group, the other end, and its ports."""
    return {
        (
            rule["securityGroupId"],
            rule.get("cidrIpv4") or rule["referencedSecurityGroupId"],
            int(rule["fromPort"]),
            int(rule["toPort"]),
        )
        for rule in (each.inputs for each in recording.of(kind))
    }


def test_exactly_these_resources_are_declared(recording: Recording) -> None:
    assert Counter(each.type.rpartition(":")[2] for each in recording.resources()) == {
        "SecurityGroup": 3,
        "SecurityGroupIngressRule": 6,
        "SecurityGroupEgressRule": 5,
        "LaunchTemplate": 2,
        "Instance": 1,
        "Fleet": 1,
    }
    assert recording.outputs == {
        "scheduler": "id-rampart-iris-dask-scheduler",
        "address": "10.20.0.10",
        "workers": "id-rampart-iris-dask-workers",
        "group": COMMON,
    }


def test_dask_is_spoken_among_the_machines_and_with_the_dispatcher_alone(recording: Recording) -> None:
    assert _rules(recording, ":SecurityGroupIngressRule") == {
        (SCHEDULER, "sg-server", 8786, 8786),
        (SCHEDULER, WORKERS, 8786, 8786),
        (WORKERS, SCHEDULER, 8788, 8789),
        (WORKERS, WORKERS, 8788, 8788),
        (COMMON, "sg-server", 22, 22),
        (COMMON, "203.0.113.0/28", 22, 22),
    }


def test_machines_of_the_cluster_reach_each_other_and_nothing_else(recording: Recording) -> None:
    assert _rules(recording, ":SecurityGroupEgressRule") == {
        (SCHEDULER, WORKERS, 8788, 8789),
        (WORKERS, SCHEDULER, 8786, 8786),
        (WORKERS, WORKERS, 8788, 8788),
        ("sg-server", SCHEDULER, 8786, 8786),
        ("sg-server", COMMON, 22, 22),
    }
    for group in recording.of(":SecurityGroup"):
        assert not {"ingress", "egress"} & set(group.inputs)


def test_with_a_gateway_nobody_comes_in_past_it() -> None:
    recording = _declared(way_in="sg-gateway", cidrs=("203.0.113.0/28",))

    ssh_in = {rule for rule in _rules(recording, ":SecurityGroupIngressRule") if rule[0] == COMMON}
    assert ssh_in == {(COMMON, "sg-server", 22, 22), (COMMON, "sg-gateway", 22, 22)}
    assert ("sg-gateway", COMMON, 22, 22) in _rules(recording, ":SecurityGroupEgressRule")


def test_a_port_open_to_nearly_everybody_is_refused() -> None:
    with pytest.raises(AskedWrongly, match="nearly the world"):
        _declared(cidrs=("0.0.0.0/0",))


def test_every_machine_is_guarded_and_has_no_profile(recording: Recording) -> None:
    for template in recording.of(":LaunchTemplate"):
        assert template.inputs["metadataOptions"]["httpTokens"] == "required"
        assert template.inputs["metadataOptions"]["httpPutResponseHopLimit"] == 1
        assert template.inputs["blockDeviceMappings"][0]["ebs"]["encrypted"] == "true"
        assert template.inputs["instanceInitiatedShutdownBehavior"] == "terminate"
        assert template.inputs["imageId"] == "ami-1"
        assert "iamInstanceProfile" not in template.inputs
        assert len(base64.b64decode(template.inputs["userData"], validate=True)) < 16 * 1024
    assert "iamInstanceProfile" not in recording.only(":Instance").inputs


def test_each_side_is_in_its_own_group_and_in_the_common_one(recording: Recording) -> None:
    groups = {each.name: each.inputs["vpcSecurityGroupIds"] for each in recording.of(":LaunchTemplate")}

    assert groups == {
        "rampart-iris-dask-scheduler": [COMMON, SCHEDULER],
        "rampart-iris-dask-worker": [COMMON, WORKERS],
    }


def test_the_scheduler_is_one_machine_on_demand_replaced_when_its_template_is(recording: Recording) -> None:
    scheduler = recording.only(":Instance")

    assert scheduler.inputs["launchTemplate"] == {"id": "id-rampart-iris-dask-scheduler", "version": "1"}
    assert scheduler.inputs["subnetId"] == "subnet-a"
    assert scheduler.replaced_on == ("launchTemplate.version",)
    assert "instanceMarketOptions" not in scheduler.inputs
    assert recording.named("rampart-iris-dask-worker").inputs.get("instanceType") is None


def test_the_schedulers_own_tags_hold_all_that_its_template_gives_it(recording: Recording) -> None:
    tags = recording.only(":Instance").inputs["tags"]
    (template,) = [each for each in recording.of(":LaunchTemplate") if each.name.endswith("-scheduler")]
    (given,) = [each for each in template.inputs["tagSpecifications"] if each["resourceType"] == "instance"]

    assert tags == {**given["tags"], "rampart:managed-by": "pulumi"}
    assert tags["rampart:max-lifetime-s"] == "86400"


def test_workers_know_the_schedulers_private_address(recording: Recording) -> None:
    text = base64.b64decode(recording.named("rampart-iris-dask-worker").inputs["userData"]).decode()
    (program,) = [
        each["content"] for each in yaml.safe_load(text)["write_files"] if each["path"].endswith("dask-worker")
    ]

    assert "dask worker tls://10.20.0.10:8786 " in program
    assert "Environment=OMP_NUM_THREADS=2" in text


@pytest.mark.parametrize(("insecure", "said"), [(False, "Dask with TLS, "), (True, "Dask in the clear, ")])
def test_machines_and_rules_say_whether_dask_is_encrypted(insecure: bool, said: str) -> None:
    recording = _declared(insecure=insecure)

    rules = [each.inputs for kind in ("Ingress", "Egress") for each in recording.of(f":SecurityGroup{kind}Rule")]
    assert {rule["description"].startswith(said) for rule in rules if int(rule["fromPort"]) != 22} == {True}
    texts = [base64.b64decode(each.inputs["userData"]).decode() for each in recording.of(":LaunchTemplate")]
    assert [("tls" in text, ".path" in text) for text in texts] == [(not insecure, not insecure)] * 2


def test_workers_are_a_fleet_of_the_hosts_types_with_an_end() -> None:
    fleet = _declared(target=2, max=4, on_demand_base=1).only(":Fleet")

    (config,) = fleet.inputs["launchTemplateConfigs"]
    assert config["launchTemplateSpecification"] == {"launchTemplateId": "id-rampart-iris-dask-worker", "version": "1"}
    assert {each["instanceType"] for each in config["overrides"]} == {"t3.medium", "c7i.large"}
    assert fleet.inputs["validUntil"] == "2027-03-31T18:00:00Z"
    assert fleet.inputs["targetCapacitySpecification"]["onDemandTargetCapacity"] == 1
    assert "targetCapacitySpecification.totalTargetCapacity" in fleet.ignored


def test_wrong_numbers_are_refused_by_the_clusters_own_key() -> None:
    with pytest.raises(AskedWrongly, match=r"^infra\.dask: target is 5"):
        _declared(target=5, max=4)


def test_everything_says_whose_it_is(recording: Recording) -> None:
    for each in recording.resources():
        assert (each.inputs["tags"]["Name"], each.inputs["tags"]["rampart:stack"]) == (each.name, "iris")


def test_names_fit_whatever_the_event_is_called() -> None:
    recording = _declared(event="e" * 64, way_in="sg-gateway", cidrs=("255.255.255.255/32",))
    direct = _declared(event="e" * 64, cidrs=("255.255.255.255/32",))

    for each in (*recording.resources(), *direct.resources()):
        assert len(each.name) <= naming.LONGEST
        assert each.name.startswith("rampart-e")


def test_a_loops_own_cluster_is_behind_the_same_walls_and_launched_from_the_same_templates(
    recording: Recording,
) -> None:
    args = _args(cidrs=("203.0.113.0/28",))

    def declare() -> dict[str, object]:
        templates = ClusterTemplates("cluster", args)
        return {"scheduler": templates.scheduler_template_id, "worker": templates.worker_template_id}

    own = record(declare)

    for kind in (":SecurityGroupIngressRule", ":SecurityGroupEgressRule"):
        assert _rules(own, kind) == _rules(recording, kind)
    without = {each.name: {**each.inputs, "userData": ""} for each in own.of(":LaunchTemplate")}
    assert without == {each.name: {**each.inputs, "userData": ""} for each in recording.of(":LaunchTemplate")}
    assert own.outputs == {"scheduler": "id-rampart-iris-dask-scheduler", "worker": "id-rampart-iris-dask-worker"}
    assert {each.type.rpartition(":")[2] for each in own.resources()} == {
        "SecurityGroup",
        "SecurityGroupIngressRule",
        "SecurityGroupEgressRule",
        "LaunchTemplate",
    }


def test_a_worker_that_a_loop_does_not_launch_itself_has_a_key_of_its_own_and_an_end() -> None:
    args = _args()
    own = record(lambda: {"worker": ClusterTemplates("cluster", args).worker_template_id})

    config = yaml.safe_load(base64.b64decode(own.named("rampart-iris-dask-worker").inputs["userData"]))

    assert config["ssh_genkeytypes"] == ["ed25519"]
    assert config["runcmd"] == [["shutdown", "-h", "+1440"]]
