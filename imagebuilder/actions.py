"""Know the actions of AWSTOE with the inputs each one requires."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Form(StrEnum):
    """What an action's `inputs` look like."""

    ENTRIES = "a list of entries"
    MAPPING = "one mapping"
    ANY = "anything"


@dataclass(frozen=True, slots=True)
class Action:
    """One action module: `required` keys stand in the mapping, or in every entry; `known` None allows further keys."""

    form: Form
    required: tuple[str, ...] = ()
    known: tuple[str, ...] | None = None
    inputs_required: bool = True


_PATH = Action(Form.ENTRIES, ("path",))
_FROM_TO = Action(Form.ENTRIES, ("source", "destination"))
_FREE = Action(Form.ANY)

ACTIONS: dict[str, Action] = {
    "AppendFile": Action(Form.ENTRIES, ("path", "content")),
    "Assert": _FREE,
    "CopyFile": _FROM_TO,
    "CopyFolder": _FROM_TO,
    "CreateFile": Action(Form.ENTRIES, ("path", "content")),
    "CreateFolder": _PATH,
    "CreateSymlink": Action(Form.ENTRIES, ("path", "target")),
    "DeleteFile": _PATH,
    "DeleteFolder": _PATH,
    "ExecuteBash": Action(Form.MAPPING, ("commands",), known=("commands",)),
    "ExecuteBinary": Action(Form.MAPPING, ("path",)),
    "ExecuteDocument": _FREE,
    "ExecutePowerShell": _FREE,
    "InstallMSI": _PATH,
    "ListFiles": _PATH,
    "MoveFile": _FROM_TO,
    "MoveFolder": _FROM_TO,
    "ReadFile": _PATH,
    "Reboot": Action(Form.MAPPING, inputs_required=False),
    "S3Download": _FROM_TO,
    "S3Upload": _FROM_TO,
    "SetFileEncoding": Action(Form.ENTRIES, ("path", "encoding")),
    "SetFileOwner": Action(Form.ENTRIES, ("path", "owner")),
    "SetFilePermissions": Action(Form.ENTRIES, ("path", "permissions")),
    "SetFolderOwner": Action(Form.ENTRIES, ("path", "owner")),
    "SetFolderPermissions": Action(Form.ENTRIES, ("path", "permissions")),
    "SetRegistry": Action(Form.ENTRIES, ("path", "name", "value", "type")),
    "UninstallMSI": _PATH,
    "UpdateOS": Action(Form.MAPPING, inputs_required=False),
    "WebDownload": _FROM_TO,
}
