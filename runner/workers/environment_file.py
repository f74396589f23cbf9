"""Read what a kit's environment file asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from contracts.errors import KitInvalid

NAMES = ("environment.yml", "ami_environment.yml")
"""A kit's environment files; the second is for its machine image."""

_PYTHON = re.compile(r"python\s*(?:={1,2}|>=|~=)?\s*(\d+\.\d+)?[\d.*]*\s*(?:,.*)?")
_PACKAGE = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class EnvironmentFile:
    """What an environment file lists: `python` is a version like `3.12` or empty, `pip` is for pip as written there.

    `conda` are the packages that only conda can give, `others` the file's further sections with an effect.
    """

    path: Path
    python: str
    pip: tuple[str, ...]
    conda: tuple[str, ...]
    others: tuple[str, ...] = ()


def find_file(kit_dir: Path, name: str | None) -> Path:
    """The kit's environment file of that name, else the first of NAMES that is there. Raises KitInvalid."""
    names = (name,) if name else NAMES
    for candidate in names:
        if (kit_dir / candidate).is_file():
            return kit_dir / candidate
    hint = "write one, as conda's `environment.yml` is written, or name another with --file"
    raise KitInvalid(f"the kit {kit_dir} has no {' or '.join(names)}", hint=hint)


def read_file(path: Path) -> EnvironmentFile:
    """Read an environment file as conda takes it. Raises KitInvalid."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise KitInvalid(f"{path} cannot be read: {error}", hint="mend it") from error
    listed = content.get("dependencies") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise KitInvalid(f"{path} has no list `dependencies`", hint="write one, as in conda's documentation")
    python, conda, pip = "", [], []
    for entry in listed:
        if isinstance(entry, dict):
            pip += _pip_of(entry, path)
        elif found := _PYTHON.fullmatch(str(entry).strip()):
            python = found[1] or ""
        elif _named(str(entry)) != "pip":
            conda.append(str(entry))
    others = tuple(key for key in ("variables", "prefix") if content.get(key))
    return EnvironmentFile(path, python, tuple(pip), tuple(conda), others)


def _pip_of(entry: dict[object, object], path: Path) -> list[str]:
    listed = entry.get("pip")
    if set(entry) != {"pip"} or not isinstance(listed, list):
        raise KitInvalid(f"{path}: `dependencies` holds something else than packages and a list `pip`", hint="mend it")
    return [str(line) for line in listed]


def _named(entry: str) -> str:
    found = _PACKAGE.match(entry.rpartition("::")[2].strip())
    return found[0].lower() if found else ""
