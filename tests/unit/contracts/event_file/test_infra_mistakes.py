"""What AWS would refuse, or take and misunderstand, is refused when the event file is read, with the field's name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from contracts.event import Dispatcher, EventConfig, Hooks, Ramp, Worker
from contracts.infra import (
    Budget,
    DaskCluster,
    Fleet,
    Gateway,
    Image,
    Infra,
    Network,
    PrivateData,
    Requirements,
    Storage,
)
from tests.unit.contracts.event_file.test_problems import told

Load = Callable[..., EventConfig]

END = '"2027-03-31T18:00:00Z"'
GIVEN = "vpc: vpc-0abc1234def567890"
KEY = '"arn:aws:kms:eu-west-3:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"'
ACCOUNT = '"111122223333"'
SHA = '"' + 64 * "a" + '"'

MISTAKES: list[tuple[str, str, str]] = [
    # region, way in
    ("region: eu-west-3a", "infra.region", "is an availability zone"),
    ("region: Paris", "infra.region", "not the name of an AWS region"),
    ("access: vpn", "infra.access", "write one of: public, inside, gateway, eice"),
    ("{access: public, network: {subnets: private}}", "infra.access", "no public address"),
    ("allowed_cidrs: [0.0.0.0/0]", "infra.allowed_cidrs[0]", "the whole world"),
    ('allowed_cidrs: ["::/0"]', "infra.allowed_cidrs[0]", "the whole world"),
    ("allowed_cidrs: [64.0.0.0/3]", "infra.allowed_cidrs[0]", "a large part of the internet"),
    ("allowed_cidrs: [203.0.113.7/24]", "infra.allowed_cidrs[0]", "203.0.113.7/32 for the one address"),
    ("allowed_cidrs: [203.0.113.300/32]", "infra.allowed_cidrs[0]", "not a range of IPv4 addresses"),
    ("{access: eice, allowed_cidrs: [203.0.113.7/32]}", "infra.allowed_cidrs", "has no effect with access: eice"),
    ("host_egress: [{cidr: 0.0.0.0/0}]", "infra.host_egress[0].cidr", "the whole world"),
    ("host_egress: [{cidr: 203.0.113.0/24, port: 204900}]", "infra.host_egress[0].port", "is not a port"),
    ("host_egress: [{cidr: 203.0.113.0/24, port: 0}]", "infra.host_egress[0].port", "is not a port"),
    ("host_egress: [{cidr: 203.0.113.0/24, ports: 443}]", "infra.host_egress[0].ports", "did you mean port?"),
    ("host_egress: [{port: 443}]", "infra.host_egress[0].cidr", "is missing"),
    ("{access: gateway, gateway: {instance_type: nano}}", "infra.gateway.instance_type", "is not an instance type"),
    ("{access: gateway, gateway: {image: ubuntu 22}}", "infra.gateway.image", "is not a parent image"),
    (
        '{access: gateway, gateway: {image: "arn:aws:imagebuilder:eu-west-3:aws:image/ubuntu-22/x.x.x"}}',
        "infra.gateway.image",
        "from which no machine is launched",
    ),
    ("{access: gateway, gateway: {user: Root!}}", "infra.gateway.user", "is not a user name"),
    ("gateway: {instance_type: t3.nano}", "infra.gateway", "has no effect with access: public"),
    # network
    ("network: {vpc: new}", "infra.network.vpc", "write own, default, or the id of a VPC"),
    ("network: {vpc: vpc-xyz}", "infra.network.vpc", "write own, default, or the id of a VPC"),
    (f"network: {{{GIVEN}}}", "infra.network.subnet_ids", "is missing"),
    (f"network: {{{GIVEN}, subnet_ids: [sn-1]}}", "infra.network.subnet_ids[0]", "is not the id of a subnet"),
    (
        f"network: {{{GIVEN}, subnet_ids: [subnet-0abc1234, subnet-0abc1234]}}",
        "infra.network.subnet_ids",
        "names a subnet twice",
    ),
    ("network: {subnet_ids: [subnet-0abc1234]}", "infra.network.subnet_ids", "has no effect with vpc: own"),
    ("network: {vpc: default, build_subnet_id: subnet-0abc1234}", "infra.network.build_subnet_id", "has no effect"),
    ("network: {cidr: 10.0.0.0/8}", "infra.network.cidr", "does not fit a VPC"),
    ("network: {cidr: 10.20.0.0/28}", "infra.network.cidr", "does not fit a VPC"),
    ("network: {vpc: default, cidr: 10.20.0.0/16}", "infra.network.cidr", "in a VPC of the event's own alone"),
    ("network: {availability_zones: 0}", "infra.network.availability_zones", "must be at least 1"),
    ("network: {availability_zones: 9}", "infra.network.availability_zones", "must be at most 6"),
    ("network: {subnets: hidden}", "infra.network.subnets", "write one of: public, private"),
    ("network: {nat: true}", "infra.network.nat", "has no effect with public subnets"),
    (f"network: {{{GIVEN}, subnet_ids: [subnet-0abc1234], nat: true}}", "infra.network.nat", "own alone"),
    ("network: {endpoints: [lambda]}", "infra.network.endpoints[0]", "is not a service that gets an endpoint"),
    ("network: {endpoints: [s3]}", "infra.network.endpoints[0]", "s3 has one always"),
    ("network: {endpoints: ssm}", "infra.network.endpoints", "must be a list"),
    ("network: {flow_logs: sometimes}", "infra.network.flow_logs", "neither true nor false"),
    (
        "network: {flow_logs: true, flow_log_retention_days: 31}",
        "infra.network.flow_log_retention_days",
        "write 30, the nearest it takes",
    ),
    ("network: {flow_log_retention_days: 30}", "infra.network.flow_log_retention_days", "no effect without flow_logs"),
    # hosts
    ("volume_gib: 4", "infra.volume_gib", "must be at least 8"),
    ("instance_types: [t3-medium]", "infra.instance_types[0]", "is not an instance type"),
    ("instance_types: t3.medium", "infra.instance_types", "must be a list"),
    # image
    ("image: {parent_image: ubuntu 22}", "infra.image.parent_image", "is not a parent image"),
    (
        'image: {parent_image: "arn:aws:imagebuilder:eu-west-3:aws:image/ubuntu-server-22-lts-x86/x.2.x"}',
        "infra.image.parent_image",
        "is not a parent image",
    ),
    (
        'image: {parent_image: "arn:aws:imagebuilder:eu-west-3:aws:image/ubuntu-server-22-lts-x86/1.0"}',
        "infra.image.parent_image",
        "is not a parent image",
    ),
    ("image: {schedule: every day}", "infra.image.schedule", "is not a schedule"),
    ("image: {schedule: rate(7 day)}", "infra.image.schedule", "is not a rate that AWS takes"),
    ("image: {schedule: rate(0 days)}", "infra.image.schedule", "is not a rate that AWS takes"),
    ('image: {schedule: "cron(0 3 * * *)"}', "infra.image.schedule", "is not a schedule"),
    ('image: {schedule: "cron(0 3 * * * *)"}', "infra.image.schedule", "must say ? for either"),
    ('image: {schedule: "cron(0 24 * * ? *)"}', "infra.image.schedule", "has '24' for the hours"),
    ('image: {schedule: "cron(60 3 * * ? *)"}', "infra.image.schedule", "has '60' for the minutes"),
    ('image: {schedule: "cron(0 3 ? * FUN *)"}', "infra.image.schedule", "has 'FUN' for the day of the week"),
    ("image: {keep: 0}", "infra.image.keep", "must be at least 1"),
    ("image: {log_retention_days: 10}", "infra.image.log_retention_days", "write 7, the nearest it takes"),
    ('image: {ssm_parameter: "/iris image"}', "infra.image.ssm_parameter", "is not the name of a Systems Manager"),
    ("image: {ssm_parameter: /aws/iris}", "infra.image.ssm_parameter", "/imagebuilder/"),
    ("image: {instance_type: large}", "infra.image.instance_type", "is not an instance type"),
    ("image: {packages: [Graph viz]}", "infra.image.packages[0]", "is not the name of a Debian package"),
    ("image: {packages: [--allow-downgrades]}", "infra.image.packages[0]", "is not the name of a Debian package"),
    ("image: {gpu: maybe}", "infra.image.gpu", "neither true nor false"),
    ("image: {gpu: false, gpu_driver: 550-server}", "infra.image.gpu_driver", "has no effect with gpu: false"),
    ("image: {gpu_driver: newest}", "infra.image.gpu_driver", "is not a branch of NVIDIA's driver"),
    (f"image: {{share_with: [{ACCOUNT}]}}", "infra.image.share_with", "needs kms_key"),
    (f"image: {{kms_key: {KEY}, share_with: [111122223333]}}", "infra.image.share_with[0]", "must be text"),
    (f'image: {{kms_key: {KEY}, share_with: ["all"]}}', "infra.image.share_with[0]", "is not the id of an AWS account"),
    (f"image: {{kms_key: {KEY}, share_with: [{ACCOUNT}, {ACCOUNT}]}}", "infra.image.share_with", "an account twice"),
    ("image: {kms_key: alias/mine}", "infra.image.kms_key", "is not the ARN of a KMS key"),
    (f"{{region: eu-west-1, image: {{kms_key: {KEY}}}}}", "infra.image.kms_key", "the event is in eu-west-1"),
    ("image: {private_data: {s3: private/}}", "infra.image.private_data.s3", "is not the address of a folder"),
    ("image: {private_data: {s3: s3://challenges/iris}}", "infra.image.private_data.s3", "a folder that ends in /"),
    ("image: {private_data: {osf_secret: osf}}", "infra.image.private_data.osf_secret", "write infra.secrets: {osf: "),
    (
        "{secrets: {osf: token}, image: {private_data: {osf_secret: osf, s3: s3://challenges/iris/}}}",
        "infra.image.private_data.osf_secret",
        "is given together with s3",
    ),
    ("image: {private_data: {gcs: x}}", "infra.image.private_data.gcs", "unknown key"),
    ("image: {components: [no-such.yml]}", "infra.image.components[0]", "there is no file"),
    ("image: {components: [{document: no-such.yml}]}", "infra.image.components[0]", "there is no file"),
    ("image: {components: [{parameters: {Version: v1}}]}", "infra.image.components[0].document", "is missing"),
    ("image: {components: no-such.yml}", "infra.image.components", "must be a list"),
    ("image: {build_timeout_s: 10}", "infra.image.build_timeout_s", "must be at least 60"),
    ("image: {build_timeout_s: 1800}", "infra.image.build_timeout_s", "is less than test_timeout_s, 3600"),
    ("image: {test_timeout_s: 14401}", "infra.image.test_timeout_s", "is more than build_timeout_s, 14400"),
    ("image: {kit: {s3: s3://challenges/iris.tar.gz}}", "infra.image.kit.sha256", "is missing"),
    (f"image: {{kit: {{s3: s3://challenges/iris/, sha256: {SHA}}}}}", "infra.image.kit.s3", "address of an object"),
    (f"image: {{kit: {{s3: s3://challenges/iris, sha256: {SHA}, shaa256: a}}}}", "infra.image.kit.shaa256", "sha256?"),
    ("image: {private_data: {s3_folder: x}}", "infra.image.private_data.s3_folder", "unknown key"),
    # fleet
    ("fleet: {target: 1}", "infra.fleet.valid_until", "is missing"),
    ("fleet: {valid_until: tomorrow}", "infra.fleet.valid_until", "is not a moment"),
    ('fleet: {valid_until: "2027-03-31 18:00"}', "infra.fleet.valid_until", "in which time zone"),
    ("fleet: {valid_until: 2027-03-31}", "infra.fleet.valid_until", "is not a moment"),
    (f"fleet: {{valid_until: {END}, kind: asg}}", "infra.fleet.kind", "write one of: ec2-fleet, spot-fleet-request"),
    (f"fleet: {{valid_until: {END}, allocation: cheapest}}", "infra.fleet.allocation", "write one of: price-capacity"),
    (f"fleet: {{valid_until: {END}, min: 5, max: 3}}", "infra.fleet.min", "is more than max"),
    (f"fleet: {{valid_until: {END}, target: 11}}", "infra.fleet.target", "write 0 to 10"),
    (f"fleet: {{valid_until: {END}, on_demand_base: 11}}", "infra.fleet.on_demand_base", "is more than max"),
    (f"fleet: {{valid_until: {END}, max: 0}}", "infra.fleet.max", "must be at least 1"),
    (f"fleet: {{valid_until: {END}, max_price_usd: 0}}", "infra.fleet.max_price_usd", "must be more than 0"),
    (f"fleet: {{valid_until: {END}, spot: false, max_price_usd: 1}}", "infra.fleet.max_price_usd", "without spot"),
    (f"fleet: {{valid_until: {END}, max_lifetime_s: 60}}", "infra.fleet.max_lifetime_s", "must be at least 600"),
    (f"fleet: {{valid_until: {END}, instance_types: [big]}}", "infra.fleet.instance_types[0]", "not an instance type"),
    (
        f"fleet: {{valid_until: {END}, instance_types: [c7i.large], requirements: {{vcpu_min: 2}}}}",
        "infra.fleet.requirements",
        "is given together with instance_types",
    ),
    (
        f"fleet: {{valid_until: {END}, requirements: {{vcpu_min: 8, vcpu_max: 4}}}}",
        "infra.fleet.requirements.vcpu_max",
        "is less than vcpu_min",
    ),
    (
        f"fleet: {{valid_until: {END}, requirements: {{memory_gib_min: 64, memory_gib_max: 32}}}}",
        "infra.fleet.requirements.memory_gib_max",
        "is less than memory_gib_min",
    ),
    (f"fleet: {{valid_until: {END}, kind: spot-fleet-request, spot: false}}", "infra.fleet.spot", "SpotFleetRequest"),
    # dask
    ("dask: {target: 1}", "infra.dask.valid_until", "is missing"),
    (f"dask: {{valid_until: {END}, scheduler_type: m7i}}", "infra.dask.scheduler_type", "is not an instance type"),
    (f"dask: {{valid_until: {END}, min: 3, target: 2}}", "infra.dask.target", "write 3 to 10"),
    (f"dask: {{valid_until: {END}, workers: 2}}", "infra.dask.workers", "unknown key"),
    # storage, secrets, money
    ("storage: {bucket: my-bucket}", "infra.storage.bucket", "neither true nor false"),
    ("storage: {results_days: 0}", "infra.storage.results_days", "must be at least 1"),
    ("storage: {s3: true}", "infra.storage.s3", "unknown key"),
    ("secrets: {OSF_token: x}", "infra.secrets.OSF_token", "is not the name of a secret"),
    ("secrets: [osf]", "infra.secrets", "must hold names with a text each"),
    ("budget: {monthly_usd: 0, emails: [a@example.org]}", "infra.budget.monthly_usd", "must be more than 0"),
    ("budget: {monthly_usd: 50}", "infra.budget.emails", "is missing"),
    ("budget: {monthly_usd: 50, emails: []}", "infra.budget.emails", "less than 1"),
    ("budget: {monthly_usd: 50, emails: [me]}", "infra.budget.emails[0]", "is not an e-mail address"),
    ("budget: {monthly_usd: 50, emails: [me@localhost]}", "infra.budget.emails[0]", "is not an e-mail address"),
    ('cost_center: "a;b"', "infra.cost_center", "cannot be the value of a tag"),
    ("permissions_boundary: boundary", "infra.permissions_boundary", "is not the ARN of an IAM policy"),
]

DASK = "worker: {worker_type: dask, dask_scheduler: 'tls://10.0.0.5:8786'}"
BASE = "ramp: {problem_name: iris, event_name: iris}\n"


def _file(infra: str, worker: str = "worker: {worker_type: aws}") -> str:
    section = infra if infra.startswith("{") else f"{{{infra}}}"
    return f"{BASE}{worker}\ninfra: {section}\n"


@pytest.mark.parametrize(("infra", "field", "message"), MISTAKES, ids=[f"{one[1]}:{one[0]}" for one in MISTAKES])
def test_a_wrong_value_is_refused_offline_with_the_fields_name(
    infra: str, field: str, message: str, load: Load
) -> None:
    (problem,) = told(lambda: load(_file(infra))).splitlines()

    assert f"/config.yml:3: {field}: " in problem
    assert message in problem


def test_the_table_has_a_mistake_for_every_part_of_the_section() -> None:
    assert len(MISTAKES) >= 60
    assert len({field for _, field, _ in MISTAKES}) >= 50


def _fields(model: type[BaseModel], place: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every key that may be written, by its place."""
    for key in model.model_fields:
        yield (*place, key)
        part = PARTS.get((*place, key))
        if part is not None:
            yield from _fields(part, (*place, key))


PARTS: dict[tuple[str, ...], type[BaseModel]] = {
    ("ramp",): Ramp,
    ("worker",): Worker,
    ("worker", "hooks"): Hooks,
    ("dispatcher",): Dispatcher,
    ("infra",): Infra,
    ("infra", "network"): Network,
    ("infra", "gateway"): Gateway,
    ("infra", "image"): Image,
    ("infra", "image", "private_data"): PrivateData,
    ("infra", "fleet"): Fleet,
    ("infra", "fleet", "requirements"): Requirements,
    ("infra", "dask"): DaskCluster,
    ("infra", "storage"): Storage,
    ("infra", "budget"): Budget,
}
FIELDS = [
    place for section in ("ramp", "worker", "dispatcher", "infra") for place in _fields(PARTS[section,], (section,))
]


@pytest.mark.parametrize("place", FIELDS, ids=[".".join(place) for place in FIELDS])
def test_a_value_of_a_wrong_kind_is_refused_in_every_field_there_is(place: tuple[str, ...], load: Load) -> None:
    content: dict[str, Any] = {
        "ramp": {"problem_name": "iris", "event_name": "iris"},
        "worker": {"worker_type": "aws"},
    }
    section = content
    for key in place[:-1]:
        section = section.setdefault(key, {})
    section[place[-1]] = {"no": {"such": "thing"}}

    problems = told(lambda: load(yaml.safe_dump(content)))

    assert any(f": {'.'.join(place)}" in problem for problem in problems.splitlines()), problems


def test_two_clusters_are_one_too_many(load: Load) -> None:
    problems = told(lambda: load(_file(f"dask: {{valid_until: {END}}}", worker=DASK)))

    assert "worker.dask_scheduler: is given together with infra.dask" in problems


def test_an_image_may_have_what_it_asks_for_together(load: Load, deployment: Path) -> None:
    (deployment / "install-cmake.yml").touch()
    image = load(
        _file(
            "{secrets: {osf: token}, image: {packages: [git, libgomp1=14.2.0-4], gpu: true, gpu_driver: 550-server, "
            "private_data: {osf_secret: osf}, components: [install-cmake.yml, {document: install-cmake.yml, "
            "parameters: {CmakeVersion: 3.31.2}}], build_timeout_s: 3600, "
            f"kms_key: {KEY}, share_with: [{ACCOUNT}]}}}}"
        )
    ).infra.image

    assert [each.document for each in image.components] == [deployment / "install-cmake.yml"] * 2
    assert image.components[1].parameters == {"CmakeVersion": "3.31.2"}
    assert image.share_with == ("111122223333",)


@pytest.mark.parametrize(
    "schedule",
    [
        *("rate(1 day)", "rate(12 hours)", "cron(0 3 ? * MON *)", "cron(0/15 8-18 ? * MON-FRI *)", "cron(0 0 1 * ? *)"),
        *("cron(0 0 L * ? 2027)", "cron(0 0 ? * 6#3 *)", "cron(0 0 15W JAN,JUL ? 2026-2028)", "cron(0 0 ? * 5L *)"),
    ],
)
def test_a_schedule_that_aws_takes_is_taken(schedule: str, load: Load) -> None:
    assert load(_file(f'image: {{schedule: "{schedule}"}}')).infra.image.schedule == schedule


@pytest.mark.parametrize("parent", ["x.x.x", "1.x.x", "1.6.x", "1.6.2", "1.6.2/3"])
def test_a_parent_image_may_leave_the_version_open_from_some_place_on(parent: str, load: Load) -> None:
    arn = f"arn:aws:imagebuilder:eu-west-3:aws:image/ubuntu-server-22-lts-x86/{parent}"

    assert load(_file(f'image: {{parent_image: "{arn}"}}')).infra.image.parent_image == arn


def test_everything_together_is_taken(load: Load) -> None:
    event = load(
        _file(
            "{access: gateway, allowed_cidrs: [203.0.113.7/32], "
            "network: {subnets: private, nat: true, flow_logs: true, endpoints: [ssm, logs]}, "
            "host_egress: [{cidr: 198.51.100.0/24}], instance_types: [c7i.large, t3.medium], "
            f"fleet: {{valid_until: {END}, requirements: {{vcpu_min: 2}}}}, dask: {{valid_until: {END}}}, "
            "storage: {bucket: true, efs: true}, secrets: {osf: token}, cost_center: physics, "
            "budget: {monthly_usd: 50, emails: [me@example.org]}}",
        )
    )

    assert event.host_types == ("t3.medium", "c7i.large")
    assert event.image_parameter == "/imagebuilder/rampart/iris/image"
    assert event.infra.host_egress[0].port == 443


def test_machines_that_run_from_the_first_up_are_warned_of(load: Load) -> None:
    (warning,) = load(_file(f"{{access: inside, fleet: {{valid_until: {END}, target: 2}}}}")).warnings

    assert warning.startswith("infra.fleet.target: 2 machines run, and are paid for")
