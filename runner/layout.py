"""Find where the challenge lies on a host: in our images' layout file, else in RAMP's layout."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

from contracts.errors import RampartError
from contracts.work import HostLayout
from runner.ports import Transport

LAYOUT_FILE = ".rampart/layout.json"
_KEYS = ("kit_dir", "data_dir", "python", "ramp_test")
_READ_LAYOUT = ("sh", "-c", f'cat "$HOME/{LAYOUT_FILE}" 2>/dev/null; printf "\\n%s" "$HOME"')
_FIND_RAMP_TEST = ("bash", "-lc", "command -v ramp-test")


class LayoutMissing(RampartError):
    """The host's image holds no challenge that could be run."""


def find_layout(transport: Transport, *, problem: str, remote_kit_folder: str | None) -> HostLayout:
    """Ask a host where kit, data and environment are; `remote_kit_folder` (RAMP's key) wins over the image's word.

    Raises LayoutMissing when neither our layout file nor `ramp-test` is there.
    """
    text, _, home = transport.run(_READ_LAYOUT).text.rpartition("\n")
    described = _described(text)
    if described is None:
        described = _ramp_layout(transport, kit_dir=str(PurePosixPath(home) / "ramp-kits" / problem))
    if remote_kit_folder is None:
        return described
    kit_dir = _below_home(remote_kit_folder, home)
    return HostLayout(kit_dir=kit_dir, data_dir=kit_dir, python=described.python, ramp_test=described.ramp_test)


def _described(text: str) -> HostLayout | None:
    if not text.strip():
        return None
    try:
        found: Any = json.loads(text)
        kit_dir, data_dir, python, ramp_test = (str(found[key]) for key in _KEYS)
        return HostLayout(kit_dir, data_dir, python, ramp_test)
    except (ValueError, KeyError, TypeError) as error:
        hint = "build the image again: invoke build-ami"
        raise LayoutMissing(f"the image's ~/{LAYOUT_FILE} cannot be read: {error}", hint=hint) from error


def _ramp_layout(transport: Transport, *, kit_dir: str) -> HostLayout:
    found = transport.run(_FIND_RAMP_TEST)
    ramp_test = found.text.strip().splitlines()[-1] if found.exit_code == 0 and found.text.strip() else ""
    if not ramp_test:
        message = f"the image has neither ~/{LAYOUT_FILE} nor ramp-test on the login user's PATH"
        raise LayoutMissing(message, hint="build an image with invoke build-ami, or install ramp-workflow in this one")
    python = str(PurePosixPath(ramp_test).parent / "python")
    return HostLayout(kit_dir=kit_dir, data_dir=kit_dir, python=python, ramp_test=ramp_test)


def _below_home(folder: str, home: str) -> str:
    if folder == "~" or folder.startswith("~/"):
        return home + folder[1:]
    return str(PurePosixPath(home) / folder)
