"""Declare a Dask cluster of the event's own: a scheduler that stays, a fleet of workers, TLS between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws

from contracts import dask_boot
from contracts.dask_machines import SCHEDULER_PORT, WORKER_PORTS
from contracts.host_boot import encoded, render_user_data
from contracts.infra import DaskCluster
from infra import addresses, fleet_settings, machines, rules
from infra.component import Component
from infra.fleet import StandingFleet, StandingFleetArgs
from infra.tags import Labels

SSH = 22


@dataclass(frozen=True)
class ClusterArgs:
    """What the cluster's machines are made of, and who reaches them.

    `host_types` are the workers' where the settings name none. `user` logs in; `environment_prefix` is the folder of
    the event's environment on the image, which must hold Dask. Port 22 is open to the server's group and to that of
    the way in, or without one to `allowed_cidrs`.
    """

    settings: DaskCluster
    host_types: tuple[str, ...]
    image_id: str
    volume_gib: int
    user: str
    n_threads: int | None
    environment_prefix: str
    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    server_group_id: pulumi.Input[str]
    way_in_group_id: pulumi.Input[str] | None
    allowed_cidrs: tuple[IPv4Network, ...]
    key_name: pulumi.Input[str]
    region: str
    permissions_boundary: str | None
    labels: Labels


class _Walled(Component):
    """The groups of a cluster's machines, and how one is launched.

    `group_id` is the group of all of them; no machine of it reaches anything but the others.
    """

    group_id: pulumi.Output[str]

    def __init__(self, kind: str, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None) -> None:
        super().__init__(kind, name, args.labels, opts)
        self._args = args
        # refused before anything is declared
        self._workers = fleet_settings.of_workers(args.settings, args.host_types)
        fleet_settings.pools(self._workers, len(args.subnet_ids))
        self._allowed = addresses.closed_to_the_world(args.allowed_cidrs)

        self.group_id = self._group("dask", "Machines of the Dask cluster: SSH from where hosts get it")
        self._scheduler_group = self._group("dask-scheduler", "Dask scheduler: reached by workers and the dispatcher")
        self._worker_group = self._group("dask-workers", "Dask workers: reached by the scheduler and each other")
        self._let_ssh_in()
        self._let_dask_through(self._scheduler_group, self._worker_group)

    def _group(self, purpose: str, description: str) -> pulumi.Output[str]:
        return rules.closed_group(self, purpose, self._args.vpc_id, description)

    def _let_ssh_in(self) -> None:
        self._connect("server", "the dispatcher", self._args.server_group_id)
        if self._args.way_in_group_id is not None:
            self._connect("way-in", "the way in", self._args.way_in_group_id)
            return
        for cidr in self._allowed:
            purpose = f"dask-ssh-from-{cidr.network_address}-{cidr.prefixlen}"
            description = "SSH from a range the event allows"
            rules.let_in(self, purpose, self.group_id, port=SSH, cidr=cidr, description=description)

    def _connect(self, purpose: str, whose: str, group: pulumi.Input[str]) -> None:
        rules.let_out(
            self, f"{purpose}-to-dask", group, port=SSH, to_group=self.group_id, description="SSH to the Dask cluster"
        )
        rules.let_in(
            self,
            f"dask-ssh-from-{purpose}",
            self.group_id,
            port=SSH,
            from_group=group,
            description=f"SSH from {whose}",
        )

    def _let_dask_through(self, scheduler: pulumi.Output[str], workers: pulumi.Output[str]) -> None:
        """Let each side in where the other, and nobody else, is let out."""
        groups = {"server": self._args.server_group_id, "scheduler": scheduler, "workers": workers}
        worker_port, nanny_port = WORKER_PORTS
        how = "in the clear" if self._args.settings.insecure else "with TLS"
        for source, target, port, to_port in (
            ("server", "scheduler", SCHEDULER_PORT, SCHEDULER_PORT),
            ("workers", "scheduler", SCHEDULER_PORT, SCHEDULER_PORT),
            ("scheduler", "workers", worker_port, nanny_port),
            ("workers", "workers", worker_port, worker_port),
        ):
            rules.let_out(
                self,
                f"dask-{source}-to-{target}",
                groups[source],
                port=port,
                to_port=to_port,
                to_group=groups[target],
                description=f"Dask {how}, to the {target}",
            )
            rules.let_in(
                self,
                f"dask-{target}-from-{source}",
                groups[target],
                port=port,
                to_port=to_port,
                from_group=groups[source],
                description=f"Dask {how}, from the {source}",
            )

    def _scheduler_template(self) -> aws.ec2.LaunchTemplate:
        purpose, wanted = "dask-scheduler", self._args.settings
        text = dask_boot.dask_scheduler(
            user=self._args.user,
            lifetime_s=wanted.max_lifetime_s,
            prefix=self._args.environment_prefix,
            insecure=wanted.insecure,
        )
        return self._template(purpose, self._scheduler_group, encoded(text), wanted.scheduler_type)

    def _template(
        self, purpose: str, group: pulumi.Output[str], text: pulumi.Input[str], instance_type: str | None = None
    ) -> aws.ec2.LaunchTemplate:
        return machines.launch_template(
            self,
            purpose,
            machines.TemplateArgs(
                description=f"{purpose} of the event {self._args.labels.event}",
                volume_gib=self._args.volume_gib,
                key_name=self._args.key_name,
                security_group_ids=[self.group_id, group],
                user_data=text,
                image_id=self._args.image_id,
                instance_type=instance_type,
                lifetime_s=self._args.settings.max_lifetime_s,
            ),
        )


class Cluster(_Walled):
    """Machines that wait for certificates, which are pushed over SSH: none is in their user data."""

    scheduler_id: pulumi.Output[str]
    scheduler_address: pulumi.Output[str]
    worker_fleet_id: pulumi.Output[str]

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("DaskCluster", name, args, opts)
        scheduler = self._scheduler()
        self.scheduler_id = scheduler.id
        self.scheduler_address = scheduler.private_ip
        self.worker_fleet_id = self._worker_fleet(self._worker_group)
        self.register_outputs(
            {
                "schedulerId": self.scheduler_id,
                "schedulerAddress": self.scheduler_address,
                "workerFleetId": self.worker_fleet_id,
                "groupId": self.group_id,
            }
        )

    def _scheduler(self) -> aws.ec2.Instance:
        purpose, template = "dask-scheduler", self._scheduler_template()
        return aws.ec2.Instance(
            self.called(purpose),
            launch_template=aws.ec2.InstanceLaunchTemplateArgs(
                id=template.id, version=template.latest_version.apply(str)
            ),
            subnet_id=self._args.subnet_ids[0],
            # all that the template gives it, for the provider takes away what is not written here
            tags=self.tags(purpose) | machines.lifetime_tag(self._args.settings.max_lifetime_s),
            opts=pulumi.ResourceOptions(parent=self, replace_on_changes=["launchTemplate.version"]),
        )

    def _worker_fleet(self, group: pulumi.Output[str]) -> pulumi.Output[str]:
        text = self.scheduler_address.apply(self._worker_user_data)
        template = self._template("dask-worker", group, text)
        fleet = StandingFleet(
            self.called("dask-worker-fleet"),
            StandingFleetArgs(
                purpose="dask-workers",
                settings=self._workers,
                launch_template_id=template.id,
                launch_template_version=template.latest_version.apply(str),
                subnet_ids=self._args.subnet_ids,
                region=self._args.region,
                permissions_boundary=self._args.permissions_boundary,
                labels=self._args.labels,
            ),
            self.inside,
        )
        return fleet.fleet_id

    def _worker_user_data(self, scheduler: str) -> str:
        return encoded(
            dask_boot.dask_worker(
                user=self._args.user,
                lifetime_s=self._args.settings.max_lifetime_s,
                prefix=self._args.environment_prefix,
                scheduler=scheduler,
                n_threads=self._args.n_threads,
                insecure=self._args.settings.insecure,
            )
        )


class ClusterTemplates(_Walled):
    """How scheduler and workers of a cluster are launched that lives as long as a loop: the dispatcher launches them.

    The scheduler's address is known then, so a worker's user data is the dispatcher's. What anybody else launches as a
    worker makes its own host key and ends at the same age.
    """

    scheduler_template_id: pulumi.Output[str]
    worker_template_id: pulumi.Output[str]

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("DaskClusterTemplates", name, args, opts)
        ending = render_user_data(lifetime_s=args.settings.max_lifetime_s, user=args.user)
        self.scheduler_template_id = self._scheduler_template().id
        self.worker_template_id = self._template("dask-worker", self._worker_group, encoded(ending)).id
        self.register_outputs(
            {
                "schedulerTemplateId": self.scheduler_template_id,
                "workerTemplateId": self.worker_template_id,
                "groupId": self.group_id,
            }
        )
