"""Make moto's instances follow real hosts: what the API says has happened, has happened."""

from __future__ import annotations

import base64
import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from moto import settings
from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError, InvalidAMIIdError, InvalidInstanceTypeError
from moto.ec2.models import EC2Backend
from moto.ec2.models.fleets import Fleet, FleetsBackend
from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState, Reservation, StateReason
from moto.ec2.models.spot_requests import SpotInstanceRequest
from moto.ec2.responses.general import General
from moto.ec2.utils import convert_tag_spec

from contracts.errors import RampartError, UnknownName
from localcloud import spot_requests
from localcloud.hosts import Hosts
from localcloud.instances import Description
from localcloud.moto_images import Images
from localcloud.moto_patches import Original, Patches

_AT_ONCE = 4
_SHUTDOWN_INSIDE = StateReason(
    "Client.InstanceInitiatedShutdown: Instance initiated shutdown", "Client.InstanceInitiatedShutdown"
)
_SPOT_END = StateReason("Server.SpotInstanceTermination: Spot instance termination", "Server.SpotInstanceTermination")
_LOST = StateReason("Server.InternalError: the machine under the instance failed", "Server.InternalError")

_BY_USER = "instance-terminated-by-user"
_ENDED_FOR = "ended_for"


class Instances:
    """The instances of every region, by id, with the host behind each."""

    def __init__(self, hosts: Hosts, images: Images) -> None:
        self._hosts = hosts
        self._images = images
        self._instances: dict[str, Instance] = {}
        self._changing = threading.RLock()

    def install(self, patches: Patches) -> None:
        patches.wrap(InstanceBackend, "run_instances", self._run_instances)
        patches.wrap(Instance, "start", self._start)
        patches.wrap(Instance, "stop", self._stop)
        patches.wrap(Instance, "reboot", self._reboot)
        patches.wrap(Instance, "terminate", self._terminate)
        patches.put(Instance, "state_reason", property(_state_reason, _set_state_reason))
        patches.wrap(FleetsBackend, "create_fleet", _create_fleet)
        patches.wrap(SpotInstanceRequest, "launch_instance", _launch_spot_instance)
        patches.wrap(General, "get_console_output", self._get_console_output)
        patches.wrap(EC2Backend, "reset", self._reset)
        patches.put(settings, "EC2_ENABLE_INSTANCE_TYPE_VALIDATION", True)
        patches.put(settings, "ENABLE_KEYPAIR_VALIDATION", True)

    def lose(self, instance_id: str) -> None:
        """End an instance as when the machine under it fails."""
        self._end(instance_id, _LOST, "system-error")

    def mark_for_interruption(self, instance_id: str) -> None:
        """Show in the spot request that its instance will be taken back."""
        if (instance := self._instances.get(instance_id)) is not None:
            spot_requests.mark(instance, "marked-for-termination")

    def interrupt(self, instance_id: str) -> None:
        """Take a spot instance back."""
        self._end(instance_id, _SPOT_END, "instance-terminated-no-capacity")

    def shut_down_inside(self, instance_id: str) -> None:
        """Follow a `shutdown` called on the host, as the launch says: stop or terminate."""
        instance = self._instances.get(instance_id)
        with self._changing:
            if instance is None or instance.state != "running":
                return
            if instance.instance_initiated_shutdown_behavior == "terminate":
                self._end(instance_id, _SHUTDOWN_INSIDE)
            else:
                with suppress(UnknownName):  # its host went a moment earlier: the whole cloud is ending
                    instance.stop()
                    instance.state_reason = _SHUTDOWN_INSIDE

    def _run_instances(
        self,
        original: Original,
        backend: EC2Backend,
        image_id: str,
        count: int,
        user_data: Base64EncodedString | None,
        security_group_names: list[str],
        **kwargs: Any,
    ) -> Reservation:
        template = template_data(backend, kwargs.get("launch_template"))
        image_id = image_id or template.get("ImageId", "")
        if image_id not in backend.amis:
            raise InvalidAMIIdError([image_id])
        tags = _tags_at_launch(template, kwargs.get("tags") or {})
        kwargs = {**_completed(kwargs, template), "tags": tags}
        try:
            reservation: Reservation = original(backend, image_id, count, user_data, security_group_names, **kwargs)
        except InvalidInstanceTypeError as error:
            wrong = f"Invalid value '{kwargs['instance_type']}' for InstanceType."
            raise EC2ClientError("InvalidParameterValue", wrong) from error
        try:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                list(pool.map(self._bring_up, reservation.instances))
        except (RampartError, OSError) as error:
            for instance in reservation.instances:
                instance.terminate()
            raise EC2ClientError("InsufficientInstanceCapacity", f"no host for the instance: {error}") from error
        for instance in reservation.instances:
            instance.nics[0].add_tags(tags.get("network-interface", {}))
            if kwargs.get("instance_market_options"):
                spot_requests.open_for(instance, tags.get("spot-instances-request", {}))
        return reservation

    def _bring_up(self, instance: Instance) -> None:
        backend = instance.ec2_backend
        self._instances[instance.id] = instance
        base = self._images.base_of(instance.image_id)
        key_pair = backend.key_pairs.get(instance.key_name)
        address = self._hosts.up(
            instance.id,
            image_id=base.snapshot,
            login_user=base.login_user,
            encoded_user_data=_encoded(instance.user_data),
            public_key=key_pair.public_key if key_pair else None,
            describe=lambda: describe(instance),
        )
        _set_address(instance, address)

    def _start(self, original: Original, instance: Instance) -> InstanceState:
        with self._changing:
            if instance.state != "stopped":
                return copy.copy(instance._state)
            address = self._hosts.start(instance.id)
            previous: InstanceState = original(instance)
            _set_address(instance, address)
            return previous

    def _stop(self, original: Original, instance: Instance) -> InstanceState:
        with self._changing:
            if instance.state != "running":
                return copy.copy(instance._state)
            self._hosts.stop(instance.id)
            previous: InstanceState = original(instance)
            return previous

    def _reboot(self, original: Original, instance: Instance) -> None:
        """What does not run is left as it is, where moto would let it run."""
        with self._changing:
            if instance.state == "running":
                self._hosts.restart(instance.id)
                original(instance)

    def _terminate(self, original: Original, instance: Instance) -> InstanceState:
        with self._changing:
            if instance.state == "terminated":
                return copy.copy(instance._state)
            self._hosts.down(instance.id)
            previous: InstanceState = original(instance)
            if _ENDED_FOR not in vars(instance):
                spot_requests.mark(instance, _BY_USER, state="closed")
            return previous

    def _end(self, instance_id: str, reason: StateReason, spot_status: str = _BY_USER) -> None:
        """Terminate an instance for another reason than its owner's wish."""
        instance = self._instances.get(instance_id)
        with self._changing:
            if instance is not None and instance.state != "terminated":
                # whoever sees that it has ended sees why: moto tells the state before the reason
                vars(instance)[_ENDED_FOR] = reason
                instance.terminate()
                instance._reason = reason.message
                spot_requests.mark(instance, spot_status, state="closed")

    def _reset(self, original: Original, backend: EC2Backend) -> None:
        """`/moto-api/reset` forgets instances without ending them."""
        for instance in backend.all_instances():
            self._hosts.down(instance.id)
            self._instances.pop(instance.id, None)
        original(backend)

    def _get_console_output(self, original: Original, response: General) -> ActionResult:
        instance = response.ec2_backend.get_instance(response._get_param("InstanceId"))
        if instance.state == "terminated":
            result: ActionResult = original(response)
            return result
        output = Base64EncodedString.from_raw_string(self._hosts.console(instance.id))
        return ActionResult({"InstanceId": instance.id, "Timestamp": utcnow(), "Output": output})


def describe(instance: Instance) -> Description:
    """Say in our words what moto knows of an instance."""
    backend = instance.ec2_backend
    key_pair = backend.key_pairs.get(instance.key_name)
    shows_tags = instance.metadata_options.instance_metadata_tags == "enabled"
    return Description(
        instance_id=instance.id,
        image_id=instance.image_id,
        instance_type=instance.instance_type,
        private_address=instance.private_ip or "",
        public_address=instance.public_ip,
        hostname=instance.private_dns_name,
        region=backend.region_name,
        zone=instance.availability_zone or "",
        account_id=backend.account_id,
        life_cycle="spot" if instance.lifecycle == "spot" else "on-demand",
        launch_index=instance.ami_launch_index,
        public_key=key_pair.public_key.strip() if key_pair else None,
        security_groups=tuple(group.name for group in instance.security_groups),
        shown_tags={tag["key"]: tag["value"] for tag in instance.get_tags()} if shows_tags else None,
        user_data=base64.b64decode(_encoded(instance.user_data) or ""),
    )


def _encoded(user_data: Base64EncodedString | str | None) -> str | None:
    return user_data.as_bytes().decode() if isinstance(user_data, Base64EncodedString) else user_data


def _set_address(instance: Instance, address: str) -> None:
    """The host's own address is both the private and, where the subnet gives one, the public one."""
    nic = instance.nics[0]
    nic.private_ip_address = address
    for entry in nic.private_ip_addresses:
        if entry.get("Primary"):
            entry["PrivateIpAddress"] = address
    if nic.public_ip:
        nic.public_ip = address


def template_data(backend: EC2Backend, asked: dict[str, Any] | None) -> dict[str, Any]:
    """What the launch template version that a call names says; nothing where it names none."""
    if not asked:
        return {}
    if "LaunchTemplateId" in asked:
        backend.get_launch_template(asked["LaunchTemplateId"])  # refuses an unknown id, at which moto falls over below
    data: dict[str, Any] = backend._get_template_from_args(asked).data
    return data


def _tags_at_launch(template: dict[str, Any], asked: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """The tags of everything a launch makes, by kind; what the call asks for wins over the template."""
    of_template = convert_tag_spec(template.get("TagSpecifications", []))
    return {kind: of_template.get(kind, {}) | asked.get(kind, {}) for kind in of_template | asked}


def _completed(kwargs: dict[str, Any], template: dict[str, Any]) -> dict[str, Any]:
    """Add what moto does not take over from a launch template."""
    taken = {
        "metadata_options": template.get("MetadataOptions"),
        "instance_initiated_shutdown_behavior": template.get("InstanceInitiatedShutdownBehavior"),
        "instance_market_options": template.get("InstanceMarketOptions", {}).get("MarketType"),
        "block_device_mappings": template.get("BlockDeviceMappings"),
        "nics": template.get("NetworkInterfaces"),  # a subnet that is asked for wins over the one in there
    }
    completed = {**kwargs, **{name: value for name, value in taken.items() if value and not kwargs.get(name)}}
    if completed.get("nics"):
        completed["nics"] = [_made_at_launch(interface) for interface in completed["nics"]]
    return completed


def _made_at_launch(interface: dict[str, Any]) -> dict[str, Any]:
    """An interface that comes with a machine goes with it, unless it is said to stay; in moto it stays."""
    return interface if "NetworkInterfaceId" in interface else {"DeleteOnTermination": True, **interface}


def _create_fleet(original: Original, backend: EC2Backend, **asked: Any) -> Fleet:
    """moto fails at spot options without a strategy; EC2 has a default."""
    if asked["spot_options"]:
        asked["spot_options"] = {"AllocationStrategy": "lowest-price", **asked["spot_options"]}
    fleet: Fleet = original(backend, **asked)
    return fleet


def _launch_spot_instance(_original: Original, request: SpotInstanceRequest) -> Instance:
    asked = request.launch_specification
    reservation = request.ec2_backend.run_instances(
        image_id=asked.image_id,
        count=1,
        security_group_names=[],
        spot_fleet_id=request.spot_fleet_id,
        lifecycle="spot",
        user_data=request.user_data,
        instance_type=asked.instance_type,
        is_instance_type_default=not asked.instance_type,
        subnet_id=asked.subnet_id,
        key_name=asked.key_name,
        security_group_ids=asked.groups,
        tags=request.all_tags,
    )
    instance: Instance = reservation.instances[0]
    instance.spot_instance_request_id = request.id  # type: ignore[attr-defined]
    return instance


def _state_reason(instance: Instance) -> StateReason:
    own = vars(instance)
    reason: StateReason = own.get(_ENDED_FOR) or own["state_reason"]
    return reason


def _set_state_reason(instance: Instance, reason: StateReason) -> None:
    vars(instance)["state_reason"] = reason
