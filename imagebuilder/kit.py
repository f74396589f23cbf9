"""Pack a challenge's kit into the small archive an image component carries."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from contracts.errors import KitInvalid

REQUIREMENT_FILES = ("requirements.txt", "extra_libraries.txt", "environment.yml", "ami_environment.yml")
_LARGEST_BYTES = 64 * 2**20
"""A kit above this is not copied with every deployment, even where the bucket would take it."""

_TOO_LARGE_HINT = (
    "give it as a repository, infra.image.kit: {git: <url>, ref: <commit>}, "
    "as an archive in a bucket, infra.image.kit: {s3: <address>, sha256: <checksum>}, or its data by private_data"
)


@dataclass(frozen=True, slots=True)
class PackedKit:
    """A kit as tar.gz; `digest` is that of its content, whatever the compression."""

    archive: bytes
    digest: str


def pack(kit_dir: Path, *, data_dir: Path, submission: str) -> PackedKit:
    """Pack problem.py with the modules beside it, the requirement files, the data and one submission.

    No other submission and no hidden file goes along. The event's own data (`data_dir`), where there is any,
    takes the place of the kit's. The same files always give the same archive. Raises KitInvalid.
    """
    files = _files(kit_dir, data_dir, submission)
    size = sum(path.stat().st_size for path in files.values())
    if size > _LARGEST_BYTES:
        raise KitInvalid(f"the kit {kit_dir} has {size // 2**20} MiB of files", hint=_TOO_LARGE_HINT)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(files):
            _add(archive, name, files[name].read_bytes())
    content = buffer.getvalue()
    return PackedKit(gzip.compress(content, compresslevel=9, mtime=0), hashlib.sha256(content).hexdigest())


def _files(kit_dir: Path, data_dir: Path, submission: str) -> dict[str, Path]:
    if not (kit_dir / "problem.py").is_file():
        raise KitInvalid(f"no problem.py in the kit {kit_dir}", hint="check ramp.kit_dir, or infra.image.kit.folder")
    if not (kit_dir / "submissions" / submission).is_dir():
        hint = "set infra.image.quick_test_submission to one of the kit's submissions"
        raise KitInvalid(f"no submissions/{submission} in the kit {kit_dir}", hint=hint)
    files = {path.name: path for path in kit_dir.glob("*.py") if path.is_file() and not path.name.startswith(".")}
    files |= {name: kit_dir / name for name in REQUIREMENT_FILES if (kit_dir / name).is_file()}
    for folder, where in (
        (_data(kit_dir, data_dir), "data"),
        (kit_dir / "external_imports", "external_imports"),
        (kit_dir / "submissions" / submission, f"submissions/{submission}"),
    ):
        files |= {f"{where}/{name}": path for name, path in _below(folder)}
    return files


def _data(kit_dir: Path, data_dir: Path) -> Path:
    """The event's own data folder, else the kit's; RAMP's configurations name it or the folder that holds it."""
    for folder in (data_dir / "data", data_dir):
        if folder.name == "data" and folder.is_dir():
            return folder
    return kit_dir / "data"


def _below(folder: Path) -> Iterator[tuple[PurePosixPath, Path]]:
    """Give the regular files below a folder by their relative name, without what is hidden, linked or made by a run."""
    for path in folder.rglob("*") if folder.is_dir() else ():
        relative = PurePosixPath(*path.relative_to(folder).parts)
        skipped = any(part.startswith(".") or part in {"__pycache__", "training_output"} for part in relative.parts)
        if path.is_file() and not path.is_symlink() and not skipped:
            yield relative, path


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = 0o644
    archive.addfile(entry, io.BytesIO(content))
