"""Make moto's images stand for real snapshots."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ssm.models import Parameter, ParameterDict

from contracts.errors import RampartError
from localcloud.base_images import BASE_IMAGES, DEFAULT_LOGIN_USER
from localcloud.hosts import Hosts
from localcloud.injections import Injections, StuckImage
from localcloud.moto_patches import Original, Patches


@dataclass(frozen=True, slots=True)
class Base:
    """What an image's machines start from: a snapshot, or None for the bare machine."""

    snapshot: str | None
    login_user: str


class Images:
    """The images by id; several ids may share one snapshot (copies)."""

    def __init__(self, hosts: Hosts, injections: Injections) -> None:
        self._hosts = hosts
        self._injections = injections
        self._bases = {image.image_id: Base(None, image.login_user) for image in BASE_IMAGES}
        self._changing = threading.Lock()

    def install(self, patches: Patches) -> None:
        patches.wrap(AmiBackend, "_load_amis", _load_base_images)
        patches.wrap(AmiBackend, "create_image", self._create_image)
        patches.wrap(AmiBackend, "copy_image", self._copy_image)
        patches.wrap(AmiBackend, "deregister_image", self._deregister_image)
        patches.wrap(ParameterDict, "_check_loading_status", _load_base_parameters)

    def base_of(self, image_id: str) -> Base:
        return self._bases.get(image_id, Base(None, DEFAULT_LOGIN_USER))

    def _create_image(
        self,
        original: Original,
        backend: EC2Backend,
        instance_id: str,
        name: str,
        description: str,
        tag_specifications: list[dict[str, Any]],
    ) -> Ami:
        instance = backend.get_instance(instance_id)
        if instance.state not in ("running", "stopped"):
            raise EC2ClientError(
                "IncorrectState", f"Instance '{instance_id}' is not 'running' or 'stopped' (it is {instance.state})"
            )
        with self._changing:
            _refuse_duplicate(backend, name)
            of_image = [spec for spec in tag_specifications if spec["ResourceType"] != "snapshot"]
            image: Ami = original(backend, instance_id, name, description, tag_specifications=of_image)
            image.creation_date = _later_than_any(backend, image)
        for spec in tag_specifications:
            if spec["ResourceType"] == "snapshot":
                image.ebs_snapshot.add_tags({tag["Key"]: tag["Value"] for tag in spec["Tags"]})
        try:
            login_user = self._hosts.machine(instance_id).login_user
            self._hosts.snapshot(instance_id, image.id)
        except (RampartError, OSError) as error:
            backend.deregister_image(image.id)
            raise EC2ClientError("InternalError", f"the machine cannot be copied: {error}") from error
        self._bases[image.id] = Base(image.id, login_user)
        if self._injections.strike(StuckImage, lambda _: True):
            image.state = "pending"
        return image

    def _copy_image(
        self, original: Original, backend: EC2Backend, source_image_id: str, *args: Any, **kwargs: Any
    ) -> Ami:
        image: Ami = original(backend, source_image_id, *args, **kwargs)
        self._bases[image.id] = self.base_of(source_image_id)
        return image

    def _deregister_image(self, original: Original, backend: EC2Backend, ami_id: str) -> None:
        original(backend, ami_id)
        base = self._bases.pop(ami_id, None)
        if base is not None and base.snapshot is not None and base not in self._bases.values():
            self._hosts.forget_image(base.snapshot)


def _refuse_duplicate(backend: EC2Backend, name: str) -> None:
    for image in backend.amis.values():
        if image.name == name and image.owner_id == backend.account_id:
            raise EC2ClientError("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {image.id}")


def _later_than_any(backend: EC2Backend, image: Ami) -> Any:
    """A creation date after every other image's: moto's have a resolution of a second, and the newest must be clear."""
    others = [other.creation_date for other in backend.amis.values() if other is not image]
    return max([image.creation_date, *(date + timedelta(seconds=1) for date in others)])


def _load_base_images(_original: Original, backend: EC2Backend) -> None:
    """Instead of moto's several hundred images, which take it over a second."""
    for image in BASE_IMAGES:
        backend.amis[image.image_id] = Ami(
            backend,
            image.image_id,
            name=image.name,
            description=image.description,
            owner_id=image.owner_id,
            owner_alias=image.owner_alias,
            public=True,
            virtualization_type="hvm",
            architecture="x86_64",
            creation_date=utcnow() - timedelta(days=30),
            image_location=f"amazon/{image.name}",
            hypervisor="xen",
            root_device_type="ebs",
            root_device_name="/dev/sda1",
            region_name=f"{backend.region_name}a",
        )


def _load_base_parameters(original: Callable[..., None], parameters: ParameterDict, key: str) -> None:
    original(parameters, key)
    for image in BASE_IMAGES:
        for name in image.parameters:
            if name.startswith(str(key)) and str(key).startswith("/aws/service/") and not dict.get(parameters, name):
                dict.__setitem__(parameters, name, [_parameter(parameters, name, image.image_id)])


def _parameter(parameters: ParameterDict, name: str, value: str) -> Parameter:
    return Parameter(  # type: ignore[abstract]  # moto itself makes them so
        account_id=parameters.account_id,
        name=name,
        value=value,
        parameter_type="String",
        description=None,
        allowed_pattern=None,
        keyid=None,
        last_modified_date=utcnow(),
        version=1,
        data_type="aws:ec2:image",
    )
