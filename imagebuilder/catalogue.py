"""Tell which image components an event needs."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath

from contracts.errors import AskedWrongly
from contracts.event import EventConfig
from contracts.infra import FolderKit, GitKit, Image
from imagebuilder import documents, kit
from imagebuilder.documents import Document

PREFIX = "/opt/rampart"
"""Where the image keeps kit and environment."""

_PACKAGES = {
    "venv": ("git", "python3-venv"),
    "conda": ("curl", "git"),
    "existing": (),
}
_PROGRAMS = {"venv": ("python3",), "conda": ("curl", "sha256sum"), "existing": ()}


@dataclass(frozen=True, slots=True)
class Component:
    """One Image Builder component: `data` is its document, `parameters` are what the recipe gives it."""

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

    Reads the kit's folder, nothing else. Raises KitInvalid where the kit lacks something or does not fit.
    """
    image = event.infra.image
    values = _values(event)
    base = _document("base")
    kit_document = _kit_document(event)
    environment = _document(f"challenge-environment-{image.environment}")
    challenge = _document("challenge")
    return (
        _component(event, "base", base, values),
        _component(event, "kit", kit_document, values),
        _component(event, "environment", environment, values),
        _component(event, "challenge", challenge, values),
    )


def recipe_version(event: EventConfig) -> str:
    """Give the version of the event's image recipe: another one whenever anything in the recipe changes."""
    image = event.infra.image
    parts = [[each.name, each.version, each.parameters] for each in components(event)]
    return version_of(json.dumps([image.parent_image, image.volume_gib, parts], sort_keys=True))


def version_of(content: str) -> str:
    """Make a version of a content: Image Builder's resources cannot be changed, so another content is another one."""
    return f"1.0.{int(hashlib.sha256(content.encode()).hexdigest()[:7], 16)}"


def _values(event: EventConfig) -> dict[str, str]:
    """Give a value for every parameter the documents may declare."""
    image, user = event.infra.image, event.worker.ami_user_name
    packages, programs = _PACKAGES[image.environment], _PROGRAMS[image.environment]
    values = {
        "User": user,
        "Home": "/root" if user == "root" else f"/home/{user}",
        "Prefix": PREFIX,
        "Problem": event.ramp.problem_name,
        "Environment": _environment(image),
        "QuickTestSubmission": image.quick_test_submission,
    }
    if isinstance(image.kit, GitKit):
        packages, programs = (*packages, "git"), (*programs, "git")
        values |= {"KitUrl": image.kit.git, "KitRef": image.kit.ref}
    values["Packages"] = " ".join(sorted({"ca-certificates", *packages}))
    values["Programs"] = " ".join(sorted({"base64", "bash", "gzip", "tar", *programs}))
    for name, value in values.items():
        _refuse_unquotable(name, value)
    return values


def _environment(image: Image) -> str:
    """Give an environment to be made below our own prefix relative to it: a machine may keep that prefix elsewhere."""
    path = PurePosixPath(image.prefix)
    is_ours = image.environment != "existing" and path.is_relative_to(PREFIX)
    return str(path.relative_to(PREFIX)) if is_ours else image.prefix


def _refuse_unquotable(name: str, value: str) -> None:
    """The documents put values between single quotes of a shell script."""
    if re.search(r"['\x00-\x1f\x7f]|\{\{", value) or value.startswith("-") or not value:
        hint = "no quotes, line ends or double braces, not empty, not beginning with a dash"
        raise AskedWrongly(f"the image's value for {name} cannot be used: {value!r}", hint=hint)


def _document(name: str) -> Document:
    source = resources.files("imagebuilder") / "components" / f"{name}.yml"
    return documents.parse(source.read_bytes(), Path(f"{name}.yml"))


def _kit_document(event: EventConfig) -> Document:
    image = event.infra.image
    if not isinstance(image.kit, FolderKit):
        return _document("challenge-kit-git")
    packed = kit.pack(image.kit.folder, data_dir=event.ramp.data_dir, submission=image.quick_test_submission)
    document = _document("challenge-kit-folder")
    document = documents.with_constant(document, "KitArchive", base64.b64encode(packed.archive).decode())
    document = documents.with_constant(document, "KitDigest", packed.digest)
    kit.refuse_too_large(image.kit.folder, len(documents.render(document)), documents.MOST_CHARACTERS)
    return document


def _component(event: EventConfig, role: str, document: Document, values: Mapping[str, str]) -> Component:
    data = documents.render(document)
    return Component(
        name=f"rampart-{event.name}-{role}",
        version=version_of(data),
        data=data,
        parameters={parameter.name: values[parameter.name] for parameter in document.parameters},
        description=document.description or role,
    )
