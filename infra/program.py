"""Declare everything an event needs on AWS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi

from contracts.event import ClusterKind, EventConfig
from contracts.host_boot import MARGIN_S
from contracts.infra import DaskCluster, Fleet
from infra import fleet_settings, ground, image_sources, keys, naming
from infra.bucket import Bucket, BucketArgs
from infra.build_profile import BuildProfile, BuildProfileArgs
from infra.dask import Cluster, ClusterArgs, ClusterTemplates
from infra.fleet import StandingHosts, StandingHostsArgs
from infra.ground import Ground, Outputs
from infra.hosts import Hosts, HostsArgs
from infra.image_sources import Sources
from infra.images import Images, ImagesArgs
from infra.interruptions import Interruptions, InterruptionsArgs
from infra.newest_image import newest_image
from infra.retirement import Retirement, RetirementArgs, ScheduledRecipe
from infra.secrets import Secrets, SecretsArgs
from infra.shared_files import SharedFiles, SharedFilesArgs
from infra.spending import Spending, SpendingArgs


def build(event: EventConfig) -> dict[str, pulumi.Output[Any]]:
    """Declare the event's resources in the running stack; gives its outputs by the names of StackOutputs.

    Raises KeyFileInvalid, KitInvalid or AskedWrongly for what is wrong with the event.
    """
    # what may be refused is looked at before anything is declared
    public_key = "" if event.worker.key_name else keys.public_key(event)
    ami_name = naming.ami_name(event.image_name)
    sources = image_sources.of_event(event)

    laid = ground.lay(event, public_key)
    storage = _storage(laid, sources)
    outputs = (
        laid.outputs
        | ground.way_in(laid)
        | storage.outputs
        | _images(laid, storage, sources, ami_name)
        | _machines(laid)
        | _spending(laid)
    )
    return {name: pulumi.Output.from_input(value) for name, value in outputs.items()}


@dataclass(frozen=True)
class _Storage:
    """What is kept outside of machines, where the event asks for it or a document needs it."""

    bucket: Bucket | None
    secrets: Secrets | None

    @property
    def outputs(self) -> Outputs:
        bucket: Outputs = {"bucket": self.bucket.bucket_name} if self.bucket else {}
        return bucket | ({"secret_arns": self.secrets.arns} if self.secrets else {})


def _storage(laid: Ground, sources: Sources) -> _Storage:
    infra = laid.event.infra
    bucket = None
    if infra.storage.bucket or sources.needs_bucket:
        settings = BucketArgs(infra.storage.results_days, infra.storage.keep, laid.labels)
        bucket = Bucket(laid.called("storage"), settings, laid.here)
    secrets = None
    if infra.secrets:
        config = pulumi.Config("rampart")
        given = {name: config.get_secret(f"secret-{name}") for name in infra.secrets}
        values = {name: value for name, value in given.items() if value is not None}
        secrets = Secrets(laid.called("secrets"), SecretsArgs(infra.secrets, values, laid.labels), laid.here)
    return _Storage(bucket, secrets)


def _images(laid: Ground, storage: _Storage, sources: Sources, ami_name: str) -> Outputs:
    event, image, here = laid.event, laid.event.infra.image, laid.here
    boundary = event.infra.permissions_boundary
    secrets = storage.secrets.arns if storage.secrets else {}
    profile = BuildProfile(
        laid.called("build-profile"),
        BuildProfileArgs(
            bucket_arn=storage.bucket.arn if storage.bucket else None,
            secret_arns=list(secrets.values()),
            elsewhere=image_sources.addresses_elsewhere(event),
            kms_key=image.kms_key,
            region=event.region,
            permissions_boundary=boundary,
            labels=laid.labels,
        ),
        here,
    )
    images = Images(
        laid.called("images"),
        ImagesArgs(
            sources=sources,
            parent_image=image.parent_image,
            ami_name=ami_name,
            image_parameter=event.image_parameter,
            instance_type=image.instance_type,
            volume_gib=image.volume_gib,
            region=event.region,
            subnet_id=laid.network.build_subnet_id,
            security_group_id=laid.access.builder_group_id,
            profile_name=profile.profile_name,
            schedule=image.schedule,
            log_retention_days=image.log_retention_days,
            bucket=storage.bucket.bucket_name if storage.bucket else None,
            secret_arns=secrets,
            kms_key=image.kms_key,
            share_with=image.share_with,
            labels=laid.labels,
        ),
        here,
    )
    Retirement(
        laid.called("retirement"),
        RetirementArgs(
            keep=image.keep,
            scheduled=ScheduledRecipe(images.recipe_name, sources.recipe_version) if image.schedule else None,
            region=event.region,
            permissions_boundary=boundary,
            labels=laid.labels,
        ),
        here,
    )
    return {
        "image_pipeline_arn": images.pipeline_arn,
        "image_name": event.image_name,
        "image_parameter": event.image_parameter,
        "image_log_group": images.log_group,
        "recipe_version": sources.recipe_version,
        "build_profile_name": profile.profile_name,
    }


def _machines(laid: Ground) -> Outputs:
    event, infra = laid.event, laid.event.infra
    hosts = Hosts(
        laid.called("hosts"),
        HostsArgs(
            instance_type=event.worker.instance_type,
            volume_gib=_volume_gib(event),
            key_name=laid.access.key_name,
            security_group_id=laid.access.hosts_group_id,
            user=event.worker.ami_user_name,
            lifetime_s=event.worker.boot_timeout_s + event.worker.timeout + MARGIN_S,
            labels=laid.labels,
        ),
        laid.here,
    )
    outputs: Outputs = {"launch_template_id": hosts.launch_template_id, "instance_types": list(event.host_types)}
    if event.worker.use_spot_instance or any(part and part.spot for part in (infra.fleet, infra.dask)):
        queue = Interruptions(laid.called("interruptions"), InterruptionsArgs(laid.labels), laid.here)
        outputs["interruption_queue_url"] = queue.queue_url
    return outputs | _what_stands(laid)


def _what_stands(laid: Ground) -> Outputs:
    """Declare the machines that are kept up, once there is an image for them, and the files that they share."""
    infra = laid.event.infra
    wanted = [name for name in ("fleet", "dask") if getattr(infra, name) is not None]
    asking = pulumi.InvokeOptions(provider=laid.here.provider)
    image_id = newest_image(laid.event, laid.labels, asking) if wanted else None
    clients: dict[str, pulumi.Input[str]] = {"server": laid.access.server_group_id}
    outputs: Outputs = {"waits_for_image": wanted if image_id is None else []}
    if infra.fleet is not None and image_id is not None:
        outputs |= _fleet(laid, infra.fleet, image_id)
    if infra.dask is not None and image_id is not None:
        cluster = _cluster(laid, infra.dask, image_id)
        clients["dask"] = cluster["dask_group_id"]
        outputs |= cluster | {"dask_min": infra.dask.min, "dask_max": infra.dask.max}
    return outputs | (_shared_files(laid, clients) if infra.storage.efs else {})


def _fleet(laid: Ground, fleet: Fleet, image_id: str) -> Outputs:
    event = laid.event
    hosts = StandingHosts(
        laid.called("fleet"),
        StandingHostsArgs(
            settings=fleet_settings.of_hosts(fleet, event.host_types),
            image_id=image_id,
            volume_gib=_volume_gib(event),
            key_name=laid.access.key_name,
            security_group_id=laid.access.hosts_group_id,
            user=event.worker.ami_user_name,
            lifetime_s=fleet.max_lifetime_s,
            subnet_ids=laid.network.subnet_ids,
            region=event.region,
            permissions_boundary=event.infra.permissions_boundary,
            labels=laid.labels,
        ),
        laid.here,
    )
    return {"fleet_id": hosts.fleet_id, "fleet_min": fleet.min, "fleet_max": fleet.max}


def _cluster(laid: Ground, dask: DaskCluster, image_id: str) -> Outputs:
    """Declare the cluster, or where it is a loop's what the loop launches it from."""
    event, access = laid.event, laid.access
    args = ClusterArgs(
        settings=dask,
        host_types=event.host_types,
        image_id=image_id,
        volume_gib=_volume_gib(event),
        user=event.worker.ami_user_name,
        n_threads=event.dispatcher.n_threads,
        environment_prefix=event.infra.image.prefix,
        vpc_id=laid.network.vpc_id,
        subnet_ids=laid.network.subnet_ids,
        server_group_id=access.server_group_id,
        way_in_group_id=access.way_in_group_id,
        allowed_cidrs=event.infra.allowed_cidrs,
        key_name=access.key_name,
        region=event.region,
        permissions_boundary=event.infra.permissions_boundary,
        labels=laid.labels,
    )
    if event.worker.cluster is ClusterKind.EC2:
        templates = ClusterTemplates(laid.called("dask"), args, laid.here)
        return {
            "dask_scheduler_template_id": templates.scheduler_template_id,
            "dask_worker_template_id": templates.worker_template_id,
            "dask_group_id": templates.group_id,
        }
    cluster = Cluster(laid.called("dask"), args, laid.here)
    return {
        "dask_scheduler_id": cluster.scheduler_id,
        "dask_scheduler_address": cluster.scheduler_address,
        "dask_worker_fleet_id": cluster.worker_fleet_id,
        "dask_group_id": cluster.group_id,
    }


def _shared_files(laid: Ground, clients: dict[str, pulumi.Input[str]]) -> Outputs:
    """The hosts of single runs are no clients: strangers' code must not find what another left."""
    files = SharedFiles(
        laid.called("shared-files"),
        SharedFilesArgs(
            vpc_id=laid.network.vpc_id,
            subnet_ids=laid.network.subnet_ids,
            client_group_ids=clients,
            keep=laid.event.infra.storage.keep,
            labels=laid.labels,
        ),
        laid.here,
    )
    return {"file_system_id": files.file_system_id, "access_point_id": files.access_point_id}


def _spending(laid: Ground) -> Outputs:
    budget = laid.event.infra.budget
    if budget is None:
        return {}
    args = SpendingArgs(budget.monthly_usd, budget.emails, laid.labels)
    return {"budget_name": Spending(laid.called("spending"), args, laid.here).budget_name}


def _volume_gib(event: EventConfig) -> int:
    """A root volume cannot be smaller than the image's snapshot."""
    return max(event.infra.volume_gib, event.infra.image.volume_gib)
