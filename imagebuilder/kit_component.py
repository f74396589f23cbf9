"""Tell which document brings an event's kit onto its image, and what that document needs."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field

from contracts.event import EventConfig
from contracts.infra import FolderKit, GitKit, S3Kit
from imagebuilder import documents, kit, library
from imagebuilder.library import Written

_FOLDER = "components"
"""Where builds look in the event's bucket for what belongs to components."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An object of the event's bucket that an image build reads; `sha256` is its content's."""

    key: str
    content: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class KitComponent:
    """The kit's document with values for its parameters, and what must lie in the event's bucket for it."""

    written: Written
    values: dict[str, str] = field(default_factory=dict)
    upload: Upload | None = None


def of(event: EventConfig) -> KitComponent:
    """Give the event's kit. A folder goes along in its document, or in the bucket where it is too large for that.

    Raises KitInvalid where the folder lacks something or is too large for a bucket too.
    """
    image = event.infra.image
    match image.kit:
        case GitKit(git=address, ref=ref):
            return KitComponent(library.read("challenge-kit-git"), {"KitUrl": address, "KitRef": ref})
        case S3Kit(s3=address, sha256=checksum):
            values = {"KitUri": address, "KitChecksum": checksum, "KitDigest": checksum}
            return KitComponent(library.read("challenge-kit-s3"), values)
        case FolderKit(folder=folder):
            packed = kit.pack(folder, data_dir=event.ramp.data_dir, submission=image.quick_test_submission)
            return _folder(packed)


def _folder(packed: kit.PackedKit) -> KitComponent:
    archive = base64.b64encode(packed.archive).decode()
    carried = documents.with_constant(library.read("challenge-kit-folder").document, "KitArchive", archive)
    written = library.written(documents.with_constant(carried, "KitDigest", packed.digest))
    if len(written.text) <= documents.MOST_CHARACTERS:
        return KitComponent(written)
    checksum = hashlib.sha256(packed.archive).hexdigest()
    upload = Upload(f"{_FOLDER}/kit-{checksum}.tar.gz", packed.archive, checksum)
    values = {"KitUri": f"s3://{{bucket}}/{upload.key}", "KitChecksum": checksum, "KitDigest": packed.digest}
    return KitComponent(library.read("challenge-kit-s3"), values, upload)
