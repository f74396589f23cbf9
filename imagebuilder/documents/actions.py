"""Know the actions of AWSTOE with the inputs each one takes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Form(StrEnum):
    """What an action's `inputs` look like."""

    ENTRIES = "a list of entries"
    MAPPING = "one mapping"
    CONDITION = "one condition"


class Kind(StrEnum):
    """What the value of one input is. A reference stands for a number, a flag or a choice as well."""

    TEXT = "text or a whole number"
    FLAG = "true or false"
    NUMBER = "a whole number, 0 or more"
    TEXTS = "a list of texts"
    COMMANDS = "a list of texts, one at least"
    TABLE = "a mapping of names to texts"
    PARAMETERS = "a list of entries with name and value"
    REGISTRY_VALUE = "text, a number or a list of them"


@dataclass(frozen=True, slots=True)
class Input:
    """One input; where there are `choices`, compared without regard to case, no other text is taken."""

    name: str
    kind: Kind = Kind.TEXT
    is_required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """One action module: its `inputs` stand in the mapping, or in every entry.

    `one_of` names inputs of which exactly one is given, `outputs` what later steps can refer to.
    """

    form: Form
    inputs: tuple[Input, ...] = ()
    one_of: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    @property
    def required(self) -> tuple[str, ...]:
        """The names of the inputs that must be there."""
        return tuple(one.name for one in self.inputs if one.is_required)

    @property
    def known(self) -> tuple[str, ...]:
        """The names of all inputs."""
        return tuple(one.name for one in self.inputs)

    @property
    def inputs_required(self) -> bool:
        """Whether `inputs` must be there at all."""
        return self.form is not Form.MAPPING or bool(self.required or self.one_of)


_ENCODINGS = tuple(
    f"utf{dash}{bits}{end}"
    for bits, ends in (("8", ("",)), ("16", ("", "-le", "-be")), ("32", ("", "-le", "-be")))
    for dash in ("", "-")
    for end in ends
)
_ALGORITHMS = ("md5", "sha1", "sha256", "sha512", "sha-1", "sha-256", "sha-512")
_REGISTRY_TYPES = ("binary", "dword", "qword", "sz", "expand_sz", "multi_sz")


def _must(*names: str) -> tuple[Input, ...]:
    return tuple(Input(name, is_required=True) for name in names)


def _may(*names: str, kind: Kind = Kind.TEXT, choices: tuple[str, ...] = ()) -> tuple[Input, ...]:
    return tuple(Input(name, kind, choices=choices) for name in names)


def _flags(*names: str) -> tuple[Input, ...]:
    return _may(*names, kind=Kind.FLAG)


def _entries(*inputs: tuple[Input, ...], outputs: tuple[str, ...] = ()) -> Action:
    return Action(Form.ENTRIES, sum(inputs, ()), outputs=outputs)


def _mapping(*inputs: tuple[Input, ...], one_of: tuple[str, ...] = (), outputs: tuple[str, ...] = ()) -> Action:
    return Action(Form.MAPPING, sum(inputs, ()), one_of, outputs)


_PATH = _must("path")
_FROM_TO = _must("source", "destination")
_ENCODING = _may("encoding", choices=_ENCODINGS)
_OWNERSHIP = _may("owner", "group", "permissions")
_COMMANDS = (Input("commands", Kind.COMMANDS, is_required=True),)
_INSTALLER = _mapping(
    _PATH,
    _may("reboot", choices=("allow", "force", "skip")),
    _may("logOptions", "logFile"),
    _may("properties", kind=Kind.TABLE),
    _flags("ignoreAuthenticodeSignatureErrors", "allowUnsignedInstaller"),
    outputs=("logFile", "msiExitCode", "stdout"),
)
_OF_A_DOCUMENT = ("executedStepCount", "executionId", "failedStepCount", "failureMessage", "ignoredFailedStepCount")

ACTIONS: dict[str, Action] = {
    "AppendFile": _entries(_PATH, _may("content"), _ENCODING),
    "Assert": Action(Form.CONDITION),
    "CopyFile": _entries(_FROM_TO, _flags("overwrite")),
    "CopyFolder": _entries(_FROM_TO, _flags("overwrite")),
    "CreateFile": _entries(_PATH, _may("content"), _ENCODING, _OWNERSHIP, _flags("overwrite")),
    "CreateFolder": _entries(_PATH, _OWNERSHIP, _flags("overwrite")),
    "CreateSymlink": _entries(_must("path", "target"), _flags("force")),
    "DeleteFile": _entries(_PATH),
    "DeleteFolder": _entries(_PATH, _flags("force")),
    "ExecuteBash": _mapping(_COMMANDS, outputs=("stdout",)),
    "ExecuteBinary": _mapping(_PATH, _may("arguments", kind=Kind.TEXTS), outputs=("stdout",)),
    "ExecuteDocument": _mapping(
        _must("document"),
        _may("document-s3-bucket-owner", "phases"),
        _may("parameters", kind=Kind.PARAMETERS),
        outputs=(*_OF_A_DOCUMENT, "logUrl", "status"),
    ),
    "ExecutePowerShell": _mapping(
        _may("commands", kind=Kind.COMMANDS), _may("file"), one_of=("commands", "file"), outputs=("stdout",)
    ),
    "InstallMSI": _INSTALLER,
    "ListFiles": _entries(_PATH, _may("fileNamePattern"), _flags("recursive"), outputs=("files",)),
    "MoveFile": _entries(_FROM_TO, _flags("overwrite")),
    "MoveFolder": _entries(_FROM_TO, _flags("overwrite")),
    "ReadFile": _entries(_PATH, _ENCODING, _flags("printFileContent"), outputs=("content",)),
    "Reboot": _mapping(_may("delaySeconds", kind=Kind.NUMBER)),
    "S3Download": _entries(_FROM_TO, _may("expectedBucketOwner"), _flags("overwrite")),
    "S3Upload": _entries(_FROM_TO, _flags("recurse"), _may("expectedBucketOwner")),
    "SetFileEncoding": _entries(_PATH, _ENCODING),
    "SetFileOwner": _entries(_must("path", "owner"), _may("group")),
    "SetFilePermissions": _entries(_must("path", "permissions")),
    "SetFolderOwner": _entries(_must("path", "owner"), _may("group"), _flags("recursive")),
    "SetFolderPermissions": _entries(_must("path", "permissions"), _flags("recursive")),
    "SetRegistry": _entries(
        _must("path", "name"),
        (Input("value", Kind.REGISTRY_VALUE, is_required=True),),
        (Input("type", is_required=True, choices=_REGISTRY_TYPES),),
    ),
    "UninstallMSI": _INSTALLER,
    "UpdateOS": _mapping(_may("include", "exclude", kind=Kind.TEXTS)),
    "WebDownload": _entries(
        _FROM_TO,
        _flags("overwrite", "ignoreCertificateErrors"),
        _may("checksum"),
        _may("algorithm", choices=_ALGORITHMS),
        outputs=("destination",),
    ),
}
"""Every action, by the user guide of EC2 Image Builder, `toe-action-modules`."""
