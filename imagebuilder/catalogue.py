"""Tell which image components an event needs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from contracts.errors import AskedWrongly
from contracts.event import EventConfig
from contracts.gpu import has_nvidia_gpu
from contracts.image import PREFIX, SUBMISSION_USER
from contracts.infra import GitKit, Image
from imagebuilder import documents, kit_component, library, own_component
from imagebuilder.kit_component import Upload
from imagebuilder.library import Written

MOST_COMPONENTS = 20
"""What Image Builder takes in one recipe, by an account's default quota."""

_PACKAGES = {
    "venv": ("git", "python3-venv"),
    "conda": ("curl", "git"),
    "existing": (),
}
_PROGRAMS = {"venv": ("python3",), "conda": ("curl", "sha256sum"), "existing": ()}


@dataclass(frozen=True, slots=True)
class Component:
    """One Image Builder component: `data` is its document, `parameters` are what the recipe gives it.

    In a parameter's value `{bucket}` stands for the name of the event's bucket and `{secret:NAME}` for the ARN of one
    of its secrets: both are known only once they are declared, which is where they are filled in.
    """

    name: str
    version: str
    data: str
    parameters: dict[str, str]
    description: str

    @property
    def is_long(self) -> bool:
        """Whether Image Builder takes the document from S3 only."""
        return len(self.data) > documents.MOST_INLINE_CHARACTERS


def components(event: EventConfig) -> tuple[Component, ...]:
    """Give the event's components in the order a recipe must list them.

    Reads the kit's folder and the event's own documents, nothing else. Raises KitInvalid where the kit lacks something
    or is too large, BadDocument for a document of its own that Image Builder would not take.
    """
    chosen = _chosen(event)
    # known only once all the others are, and so no part of what makes the recipe another one
    provenance = {
        "Recipe": _version(event, chosen),
        "Components": " ".join(f"{each.name}={each.version}" for each in chosen),
    }
    writer = _name(event, "challenge")
    return tuple(
        replace(each, parameters=each.parameters | provenance) if each.name == writer else each for each in chosen
    )


def recipe_version(event: EventConfig) -> str:
    """Give the version of the event's image recipe: another one whenever anything in the recipe changes."""
    return _version(event, _chosen(event))


def uploads(event: EventConfig) -> tuple[Upload, ...]:
    """Give what must lie in the event's bucket when an image is built, besides documents that are long.

    Raises KitInvalid.
    """
    upload = kit_component.of(event).upload
    return (upload,) if upload else ()


def version_of(content: str) -> str:
    """Make a version of a content: Image Builder's resources cannot be changed, so another content is another one."""
    return f"1.0.{int(hashlib.sha256(content.encode()).hexdigest()[:7], 16)}"


def wants_gpu(event: EventConfig) -> bool:
    """Tell whether the image gets NVIDIA's driver: as the event file says, else as its instance type needs it."""
    wanted = event.infra.image.gpu
    return has_nvidia_gpu(event.worker.instance_type) if wanted is None else wanted


def wants_dask(event: EventConfig) -> bool:
    """Tell whether the image gets Dask; an environment that is there already is not written to unasked."""
    image = event.infra.image
    if image.dask is not None:
        return image.dask
    return image.environment != "existing" and (event.worker.worker_type == "dask" or event.infra.dask is not None)


def _chosen(event: EventConfig) -> list[Component]:
    """The components without what the recipe tells them of itself."""
    image = event.infra.image
    kit = kit_component.of(event)
    values = _values(event) | kit.values
    roles: dict[str, Written] = {"base": library.read("base")}
    if image.environment != "existing":
        roles["python"] = library.read(f"python-{image.environment}")
    if wants_gpu(event):
        roles["gpu"] = library.read("gpu")
    roles["kit"] = kit.written
    roles["environment"] = library.read(f"challenge-environment-{image.environment}")
    # before the challenge, which takes the digest of all its data
    for source, is_wanted in (("s3", image.private_data.s3), ("osf", image.private_data.osf_secret)):
        if is_wanted:
            roles[f"private-data-{source}"] = library.read(f"private-data-{source}")
    roles["challenge"] = library.read("challenge")
    if wants_dask(event):
        roles["dask"] = library.read("dask")
    ours = [_component(event, role, written, values) for role, written in roles.items()]
    own = [
        _made(event, f"own-{each.name}", each.data, each.parameters, each.description)
        for each in own_component.read(image.components)
    ]
    # the last two look at all that stands before them
    ends = [_component(event, role, library.read(role), values) for role in ("ramp-test", "hardening")]
    chosen = [*ours, *own, *ends]
    if len(chosen) > MOST_COMPONENTS:
        message = f"the image has {len(chosen)} components, Image Builder takes {MOST_COMPONENTS}"
        raise AskedWrongly(message, hint="put two documents of infra.image.components into one")
    return chosen


def _version(event: EventConfig, chosen: list[Component]) -> str:
    image = event.infra.image
    parts = [[each.name, each.version, each.parameters] for each in chosen]
    recipe = [image.parent_image, image.volume_gib, image.kms_key, parts]
    return version_of(json.dumps(recipe, sort_keys=True))


def _values(event: EventConfig) -> dict[str, str]:
    """Give a value for every parameter that our documents declare without a default."""
    image, user = event.infra.image, event.worker.ami_user_name
    if user == SUBMISSION_USER:
        message = f"worker.ami_user_name is {user!r}, which is the user without rights that submissions run as"
        raise AskedWrongly(message, hint="write the AMI's login user: ubuntu or ec2-user")
    packages, programs = {*_PACKAGES[image.environment]}, {*_PROGRAMS[image.environment]}
    if isinstance(image.kit, GitKit):
        packages, programs = {*packages, "git"}, {*programs, "git"}
    values = {
        "User": user,
        "Home": "/root" if user == "root" else f"/home/{user}",
        "SubmissionUser": SUBMISSION_USER,
        "RootLogin": "prohibit-password" if user == "root" else "no",
        "Prefix": PREFIX,
        "Problem": event.ramp.problem_name,
        "Environment": _environment(image),
        "QuickTestSubmission": image.quick_test_submission,
        "Packages": " ".join(sorted({"ca-certificates", "chrony", *packages, *image.packages})),
        "Programs": " ".join(sorted({"base64", "bash", "gzip", "tar", *programs})),
        "Updates": "yes" if image.updates else "no",
        "GpuDriver": image.gpu_driver,
        "MayInstall": "no" if image.environment == "existing" else "yes",
    }
    if image.private_data.s3:
        values["DataUri"] = image.private_data.s3
    if image.private_data.osf_secret:
        values["LoginArn"] = f"{{secret:{image.private_data.osf_secret}}}"
    return values


def _environment(image: Image) -> str:
    """Give an environment to be made below our own prefix relative to it: a machine may keep that prefix elsewhere."""
    path = PurePosixPath(image.prefix)
    is_ours = image.environment != "existing" and path.is_relative_to(PREFIX)
    return str(path.relative_to(PREFIX)) if is_ours else image.prefix


def _component(event: EventConfig, role: str, written: Written, values: Mapping[str, str]) -> Component:
    """Make a component of ours: what its document declares and `values` does not hold has a default."""
    parameters = {each.name: values[each.name] for each in written.document.parameters if each.name in values}
    for name, value in parameters.items():
        _refuse_unquotable(name, value)
    return _made(event, role, written.text, parameters, written.document.description or role)


def _refuse_unquotable(name: str, value: str) -> None:
    """Our documents put values between single quotes of a shell script."""
    if re.search(r"['\x00-\x1f\x7f]|\{\{", value) or value.startswith("-") or not value:
        hint = "no quotes, line ends or double braces, not empty, not beginning with a dash"
        raise AskedWrongly(f"the image's value for {name} cannot be used: {value!r}", hint=hint)


def _made(event: EventConfig, role: str, data: str, parameters: Mapping[str, str], description: str) -> Component:
    return Component(_name(event, role), version_of(data), data, dict(parameters), description)


def _name(event: EventConfig, role: str) -> str:
    return f"rampart-{event.name}-{role}"
