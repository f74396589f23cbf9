"""Events of many kinds, loaded as from their files: the ready examples, one for each option that changes something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from contracts.event import EventConfig
from contracts.event_file import load_event

REPOSITORY = Path(__file__).resolve().parents[3]
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
EXAMPLES = ("iris", "spot", "dask")

_END = "2027-03-31T18:00:00Z"
_PRIVATE = {"network": {"subnets": "private"}}
_GIVEN = {
    "vpc": "vpc-0abc1234def567890",
    "subnet_ids": ["subnet-0abc1234def567891", "subnet-0abc1234def567892"],
    "build_subnet_id": "subnet-0abc1234def567893",
}

OPTIONS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "three-zones": {"network": {"availability_zones": 3}},
    "private-gateway": {**_PRIVATE, "access": "gateway"},
    "private-eice": {**_PRIVATE, "access": "eice", "allowed_cidrs": []},
    "private-inside": {**_PRIVATE, "access": "inside", "allowed_cidrs": []},
    "private-nat": {"network": {"subnets": "private", "nat": True}, "access": "inside"},
    "endpoints-and-flow-logs": {"network": {"endpoints": ["ssm", "logs"], "flow_logs": True}},
    "default-network": {"network": {"vpc": "default"}},
    "given-network": {"network": _GIVEN, "access": "inside"},
    "ways-out": {"host_egress": [{"cidr": "198.51.100.0/24"}, {"cidr": "192.0.2.0/24", "port": 8443}]},
    "several-types": {"instance_types": ["c7i.large", "m7i.large"]},
    "scheduled-image": {"image": {"schedule": "cron(0 3 ? * MON *)", "keep": 5}},
    "image-from-buckets": {
        "image": {
            "kit": {"s3": "s3://challenges/iris-kit.tar.gz", "sha256": 64 * "a"},
            "private_data": {"s3": "s3://challenges/iris/private/"},
            "gpu": True,
            "dask": True,
            "share_with": ["444455556666"],
            "kms_key": "arn:aws:kms:eu-west-3:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        }
    },
    "image-with-login": {
        "secrets": {"osf": "login of the data's owner"},
        "image": {"private_data": {"osf_secret": "osf"}},
    },
    "spot-fleet": {"fleet": {"valid_until": _END, "target": 2}},
    "fleet-on-demand": {"fleet": {"valid_until": _END, "spot": False, "target": 1}},
    "fleet-by-requirements": {"fleet": {"valid_until": _END, "requirements": {"vcpu_min": 4, "gpus_min": 1}}},
    "legacy-fleet": {"fleet": {"valid_until": _END, "kind": "spot-fleet-request", "on_demand_base": 1, "target": 2}},
    "dask": {"dask": {"valid_until": _END, "target": 2}},
    "dask-behind-gateway": {**_PRIVATE, "access": "gateway", "dask": {"valid_until": _END}},
    "dask-inside": {**_PRIVATE, "access": "inside", "allowed_cidrs": [], "dask": {"valid_until": _END}},
    "bucket": {"storage": {"bucket": True}},
    "kept-storage": {"storage": {"bucket": True, "efs": True, "keep": True}},
    "efs-on-the-default-network": {"network": {"vpc": "default"}, "storage": {"efs": True}},
    "secrets": {"secrets": {"osf": "token of the data's owner", "s3": "key of a foreign bucket"}},
    "budget": {"budget": {"monthly_usd": 50, "emails": ["organiser@example.org"]}, "cost_center": "physics 2027"},
    "bounded": {
        "permissions_boundary": "arn:aws:iam::111122223333:policy/boundary",
        "network": {"flow_logs": True},
        "fleet": {"valid_until": _END, "kind": "spot-fleet-request"},
    },
}
OPTIONS["everything"] = {
    "access": "gateway",
    "network": {"subnets": "private", "nat": True, "endpoints": ["ssm", "sts"], "flow_logs": True},
    **{key: OPTIONS[name][key] for name, key in (("ways-out", "host_egress"), ("several-types", "instance_types"))},
    "image": {"schedule": "rate(7 days)"},
    "fleet": {"valid_until": _END, "target": 2},
    "dask": {"valid_until": _END},
    "storage": {"bucket": True, "efs": True},
    **OPTIONS["secrets"],
    **OPTIONS["budget"],
    "permissions_boundary": "arn:aws:iam::111122223333:policy/boundary",
}


def example(name: str, state: Path) -> EventConfig:
    """A ready event as it would be on AWS, with its public key; what it keeps lies below `state`."""
    path = REPOSITORY / "events" / name / "config.yml"
    return with_key(
        load_event(path, environ={"RAMPART_ALLOWED_CIDR": "203.0.113.0/28", "RAMPART_STATE_DIR": str(state)})
    )


def event_with(infra: dict[str, Any], folder: Path, *, name: str = "iris") -> EventConfig:
    """The smallest event on EC2 with this section `infra`."""
    content = {
        "ramp": {
            "problem_name": "iris",
            "event_name": name,
            "kit_dir": str(REPOSITORY / "examples" / "iris"),
        },
        "worker": {"worker_type": "aws"},
        "infra": {"allowed_cidrs": ["203.0.113.0/28"], **infra},
    }
    path = folder / "events" / name / "config.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return with_key(load_event(path, environ={}))


def with_key(event: EventConfig) -> EventConfig:
    """The event, with the public half of its key where `up` would make it."""
    key = event.key_path.with_name(f"{event.key_path.name}.pub")
    key.parent.mkdir(parents=True, exist_ok=True)
    key.write_text(f"{PUBLIC_KEY} somebody@somewhere\n", encoding="utf-8")
    return event
