"""Check what no single value of the section `infra` can tell: keys that need, exclude or bound one another."""

from __future__ import annotations

from contracts.event import Worker
from contracts.event_file.findings import IsWritten, Loc, Report
from contracts.infra import Access, DaskCluster, Fleet, Image, Infra, Network, Requirements

_NETWORK: Loc = ("infra", "network")
_IMAGE: Loc = ("infra", "image")
_OWN_ONLY = ("cidr", "availability_zones", "subnets", "nat", "endpoints", "flow_logs")


def check_infra(infra: Infra, worker: Worker | None, is_written: IsWritten, report: Report) -> None:
    """Report what of the section cannot be had together."""
    _check_network(infra.network, is_written, report)
    _check_way_in(infra, is_written, report)
    _check_image(infra.image, is_written, report)
    _check_private_data(infra, report)
    _check_key(infra, worker, report)
    if infra.fleet is not None:
        _check_fleet(infra.fleet, ("infra", "fleet"), report)
    if infra.dask is not None:
        _check_numbers(infra.dask, ("infra", "dask"), report)
    if worker is not None and worker.dask_scheduler is not None and infra.dask is not None:
        report(
            ("worker", "dask_scheduler"),
            "is given together with infra.dask, which makes a cluster of the event's own",
            "keep one of the two",
        )


def _check_network(network: Network, is_written: IsWritten, report: Report) -> None:
    if network.vpc not in ("own", "default") and not network.subnet_ids:
        report((*_NETWORK, "subnet_ids"), "is missing", "name the subnets of that VPC in which hosts may be")
    for key in ("subnet_ids", "build_subnet_id"):
        if network.vpc in ("own", "default") and is_written((*_NETWORK, key)):
            report((*_NETWORK, key), f"has no effect with vpc: {network.vpc}", "name the VPC by its id, or remove it")
    for key in _OWN_ONLY:
        if network.vpc != "own" and is_written((*_NETWORK, key)):
            report((*_NETWORK, key), "has effect in a VPC of the event's own alone", "write vpc: own, or remove it")
    if network.nat and network.subnets == "public":
        report((*_NETWORK, "nat"), "has no effect with public subnets", "write subnets: private, or remove it")
    if len(set(network.subnet_ids)) < len(network.subnet_ids):
        report((*_NETWORK, "subnet_ids"), "names a subnet twice", "keep one of the two")
    if is_written((*_NETWORK, "flow_log_retention_days")) and not network.flow_logs:
        report((*_NETWORK, "flow_log_retention_days"), "has no effect without flow_logs", "write flow_logs: true")


def _check_way_in(infra: Infra, is_written: IsWritten, report: Report) -> None:
    access, network = infra.access, infra.network
    if access is Access.PUBLIC and network.vpc == "own" and network.subnets == "private":
        report(
            ("infra", "access"),
            "is public, but hosts in private subnets have no public address",
            "write access: gateway, eice or inside, or infra.network.subnets: public",
        )
    if access is not Access.GATEWAY and is_written(("infra", "gateway")):
        report(("infra", "gateway"), f"has no effect with access: {access}", "write access: gateway, or remove it")
    if infra.gateway.image.startswith("arn:"):
        report(
            ("infra", "gateway", "image"),
            "is an Image Builder ARN, from which no machine is launched",
            "write an AMI's id, or ssm:/ and the name of a parameter that holds one",
        )
    if access is Access.EICE and infra.allowed_cidrs:
        report(
            ("infra", "allowed_cidrs"),
            "has no effect with access: eice, where AWS's own permissions decide who comes in",
            "remove it",
        )


def _check_image(image: Image, is_written: IsWritten, report: Report) -> None:
    if image.share_with and image.kms_key is None:
        report(
            (*_IMAGE, "share_with"),
            "needs kms_key: nobody else can launch what the account's default key encrypts",
            "write kms_key: the ARN of a key of yours, whose policy lets those accounts use it",
        )
    if len(set(image.share_with)) < len(image.share_with):
        report((*_IMAGE, "share_with"), "names an account twice", "keep one of the two")
    if image.gpu is False and is_written((*_IMAGE, "gpu_driver")):
        report((*_IMAGE, "gpu_driver"), "has no effect with gpu: false", "write gpu: true, or remove it")
    if image.test_timeout_s > image.build_timeout_s:
        if is_written((*_IMAGE, "test_timeout_s")):
            message = f"is more than build_timeout_s, {image.build_timeout_s}"
            report((*_IMAGE, "test_timeout_s"), message, "write less: the tests are a part of the build")
        else:
            message = f"is less than test_timeout_s, {image.test_timeout_s}"
            report((*_IMAGE, "build_timeout_s"), message, "write more, or a test_timeout_s too")


def _check_private_data(infra: Infra, report: Report) -> None:
    place, data = (*_IMAGE, "private_data"), infra.image.private_data
    if data.s3 and data.osf_secret:
        report((*place, "osf_secret"), "is given together with s3", "keep the place where the data is")
    elif data.osf_secret and data.osf_secret not in infra.secrets:
        remedy = f"write infra.secrets: {{{data.osf_secret}: a sentence on what it is}}, or one of those there"
        report((*place, "osf_secret"), "is not the name of a secret in infra.secrets", remedy)


def _check_key(infra: Infra, worker: Worker | None, report: Report) -> None:
    region = (worker.region_name if worker else None) or infra.region
    if infra.image.kms_key is not None and (found := infra.image.kms_key.split(":")[3]) != region:
        report((*_IMAGE, "kms_key"), f"is a key of {found}, the event is in {region}", "name a key of that region")


def _check_fleet(fleet: Fleet, loc: Loc, report: Report) -> None:
    _check_numbers(fleet, loc, report)
    if fleet.instance_types and fleet.requirements is not None:
        report((*loc, "requirements"), "is given together with instance_types", "keep one of the two")
    if fleet.kind == "spot-fleet-request" and not fleet.spot:
        report((*loc, "spot"), "is false in a SpotFleetRequest", "write kind: ec2-fleet, or remove it")
    if fleet.requirements is not None:
        _check_requirements(fleet.requirements, (*loc, "requirements"), report)


def _check_requirements(wanted: Requirements, loc: Loc, report: Report) -> None:
    if wanted.vcpu_max is not None and wanted.vcpu_max < wanted.vcpu_min:
        report((*loc, "vcpu_max"), f"is less than vcpu_min, {wanted.vcpu_min}", "write at least as many")
    if wanted.memory_gib_max is not None and wanted.memory_gib_max < wanted.memory_gib_min:
        report(
            (*loc, "memory_gib_max"), f"is less than memory_gib_min, {wanted.memory_gib_min}", "write at least as much"
        )


def _check_numbers(machines: Fleet | DaskCluster, loc: Loc, report: Report) -> None:
    if machines.min > machines.max:
        report((*loc, "min"), f"is more than max, {machines.max}", "write at most as many")
    elif not machines.min <= machines.target <= machines.max:
        report((*loc, "target"), "is not between min and max", f"write {machines.min} to {machines.max}")
    if machines.on_demand_base > machines.max:
        report((*loc, "on_demand_base"), f"is more than max, {machines.max}", "write at most as many")
    if machines.max_price_usd is not None and not machines.spot:
        report((*loc, "max_price_usd"), "has no effect without spot machines", "write spot: true, or remove it")
