"""Know AWSTOE's actions, each with its inputs and what does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localcloud.imagebuilder import conditions, files, transfers
from localcloud.imagebuilder.acting import ActionFailed, Outcome, Shell, bash

REBOOT_EXIT_CODE = 194


@dataclass(frozen=True, slots=True)
class Action:
    """An action's inputs and how it is done; `run` None: AWSTOE has it, this emulator does not.

    `listed` inputs are a list of items, done one after the other.
    """

    run: Callable[[Shell, Any], Outcome] | None
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    listed: bool = False


def perform(name: str, inputs: Any, shell: Shell) -> Outcome:
    """Do one action with filled inputs; raises ActionFailed."""
    action = ACTIONS[name]
    if action.run is None:
        raise ActionFailed(f"the local cloud does not have the action {name}")
    if not action.listed:
        return action.run(shell, inputs if inputs is not None else {})
    results = []
    for item in inputs:
        outcome = action.run(shell, item)
        results.append(outcome.outputs)
        if outcome.exit_code != 0:
            return outcome
    return Outcome(0, collate(results))


def collate(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One set of outputs from those of several items or turns: texts of one name make lines of one text."""
    if len(results) == 1:
        return dict(results[0])
    names = dict.fromkeys(name for result in results for name in result)
    return {name: "\n".join(str(result[name]) for result in results if name in result) for name in names}


def _execute_bash(shell: Shell, inputs: Mapping[str, Any]) -> Outcome:
    result = shell.run("/bin/bash", "-c", "\n".join(inputs["commands"]))
    return Outcome(result.exit_code, {"stdout": result.stdout.rstrip("\n")})


def _execute_binary(shell: Shell, inputs: Mapping[str, Any]) -> Outcome:
    result = shell.run(str(inputs["path"]), *map(str, inputs.get("arguments", [])))
    return Outcome(result.exit_code, {"stdout": result.stdout.rstrip("\n")})


def _assert(shell: Shell, inputs: Any) -> Outcome:
    try:
        holds = conditions.holds(inputs, lambda command: bash(shell, command, quiet=True).exit_code == 0)
    except conditions.Undecidable as error:
        raise ActionFailed(str(error)) from error
    return Outcome(0 if holds else 1, {"result": str(holds).lower()})


def _reboot(shell: Shell, _inputs: Mapping[str, Any]) -> Outcome:
    shell.reboot()
    return Outcome(0)


def _update_os(shell: Shell, _inputs: Mapping[str, Any]) -> Outcome:
    return Outcome(bash(shell, _UPDATE_OS).exit_code)


_UPDATE_OS = """set -eu
if command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -y && apt-get upgrade -y
elif command -v dnf >/dev/null; then dnf upgrade -y
elif command -v yum >/dev/null; then yum update -y
else echo "no package manager is there" >&2; exit 1
fi
"""


def _of(run: Callable[[Shell, Any], Outcome] | None, required: str = "", optional: str = "") -> Action:
    return Action(run, frozenset(required.split()), frozenset(optional.split()))


def _items(run: Callable[[Shell, Any], Outcome] | None, required: str, optional: str = "") -> Action:
    return Action(run, frozenset(required.split()), frozenset(optional.split()), listed=True)


def _files(name: str, required: str, optional: str = "") -> dict[str, Action]:
    return {name: _items(files.RUNS[name], required, optional)}


_INSTALLER = "reboot logOptions logFile properties ignoreAuthenticodeSignatureErrors allowUnsignedInstaller"

ACTIONS: dict[str, Action] = {
    "ExecuteBash": _of(_execute_bash, "commands"),
    "ExecuteBinary": _of(_execute_binary, "path", "arguments"),
    "Assert": _of(_assert),
    "Reboot": _of(_reboot, "", "delaySeconds"),
    "UpdateOS": _of(_update_os, "", "include exclude"),
    "S3Download": _items(transfers.s3_download, "source destination", "expectedBucketOwner overwrite"),
    "S3Upload": _items(transfers.s3_upload, "source destination", "recurse expectedBucketOwner"),
    "WebDownload": _items(
        transfers.web_download, "source destination", "overwrite checksum algorithm ignoreCertificateErrors"
    ),
    **_files("AppendFile", "path", "content encoding"),
    **_files("CopyFile", "source destination", "overwrite"),
    **_files("CopyFolder", "source destination", "overwrite"),
    **_files("CreateFile", "path", "content encoding owner group permissions overwrite"),
    **_files("CreateFolder", "path", "owner group permissions overwrite"),
    **_files("CreateSymlink", "path target", "force"),
    **_files("DeleteFile", "path"),
    **_files("DeleteFolder", "path", "force"),
    **_files("ListFiles", "path", "fileNamePattern recursive"),
    **_files("MoveFile", "source destination", "overwrite"),
    **_files("MoveFolder", "source destination", "overwrite"),
    **_files("ReadFile", "path", "encoding printFileContent"),
    **_files("SetFileEncoding", "path", "encoding"),
    **_files("SetFileOwner", "path owner", "group"),
    **_files("SetFolderOwner", "path owner", "group recursive"),
    **_files("SetFilePermissions", "path permissions"),
    **_files("SetFolderPermissions", "path permissions", "recursive"),
    # done by the interpreter itself
    "ExecuteDocument": _of(None, "document", "document-s3-bucket-owner phases parameters"),
    # AWSTOE's actions for Windows: a document may hold them, a build that meets one fails and says so
    "ExecutePowerShell": _of(None, "", "commands file"),
    "InstallMSI": _of(None, "path", _INSTALLER),
    "UninstallMSI": _of(None, "path", _INSTALLER),
    "SetRegistry": _items(None, "path name value type"),
}
