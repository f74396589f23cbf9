"""Carry out AWSTOE's actions by small shell commands on the machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from localcloud.imagebuilder import conditions

REBOOT_EXIT_CODE = 194


@dataclass(frozen=True, slots=True)
class Result:
    """How a command on the machine ended; `stdout` is its beginning where it is long."""

    exit_code: int
    stdout: str = ""


class Shell(Protocol):
    """The machine as one step sees it: its time runs, its output is logged."""

    def run(self, *argv: str, stdin: bytes = b"", quiet: bool = False) -> Result:
        """Run a command as root; a quiet one's output is not logged."""
        ...

    def reboot(self) -> None:
        """Restart the machine and come back when it runs."""
        ...

    def s3_object(self, uri: str) -> bytes:
        """Read `s3://bucket/key`; raises ActionFailed."""
        ...


class ActionFailed(Exception):
    """An action could not be done, for the reason given."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step gives back; `outputs` is what later steps can refer to."""

    exit_code: int
    outputs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Action:
    """An action's inputs and how it is done; `run` None: AWSTOE has it, this emulator does not.

    `listed` inputs are a list of items, done one after the other. `free` inputs have a form of their own.
    """

    run: Callable[[Shell, Any], Outcome] | None
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    listed: bool = False
    free: bool = False


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
    return Outcome(0, results[0] if len(results) == 1 else {"results": results})


def _bash(shell: Shell, script: str, *arguments: Any, stdin: bytes = b"", quiet: bool = False) -> Result:
    """Run a script of ours, its arguments as "$1", "$2", ...; booleans as true and false."""
    words = [str(word).lower() if isinstance(word, bool) else str(word) for word in arguments]
    return shell.run("/bin/bash", "-c", script, "action", *words, stdin=stdin, quiet=quiet)


def _execute_bash(shell: Shell, inputs: Mapping[str, Any]) -> Outcome:
    result = shell.run("/bin/bash", "-c", "\n".join(inputs["commands"]))
    return Outcome(result.exit_code, {"stdout": result.stdout.rstrip("\n")})


def _execute_binary(shell: Shell, inputs: Mapping[str, Any]) -> Outcome:
    result = shell.run(str(inputs["path"]), *map(str, inputs.get("arguments", [])))
    return Outcome(result.exit_code, {"stdout": result.stdout.rstrip("\n")})


def _assert(shell: Shell, inputs: Any) -> Outcome:
    try:
        holds = conditions.holds(inputs, lambda command: _bash(shell, command, quiet=True).exit_code == 0)
    except conditions.Undecidable as error:
        raise ActionFailed(str(error)) from error
    return Outcome(0 if holds else 1, {"result": str(holds).lower()})


def _reboot(shell: Shell, _inputs: Mapping[str, Any]) -> Outcome:
    shell.reboot()
    return Outcome(0)


def _update_os(shell: Shell, _inputs: Mapping[str, Any]) -> Outcome:
    return Outcome(_bash(shell, _UPDATE_OS).exit_code)


def _create_file(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    path, overwrite = item["path"], item.get("overwrite", True)
    result = _bash(shell, _CREATE_FILE, path, overwrite, *_ownership(item), stdin=_content(item))
    return Outcome(result.exit_code)


def _append_file(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    script = 'set -eu; [ -f "$1" ] || { echo "no file $1" >&2; exit 1; }; cat >> "$1"'
    return Outcome(_bash(shell, script, item["path"], stdin=_content(item)).exit_code)


def _read_file(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    result = _bash(shell, 'cat -- "$1"', item["path"], quiet=True)
    return Outcome(result.exit_code, {"content": result.stdout})


def _list_files(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    arguments = (item["path"], item.get("fileNamePattern", "*"), item.get("recursive", False))
    result = _bash(shell, _LIST_FILES, *arguments, quiet=True)
    return Outcome(result.exit_code, {"files": ",".join(result.stdout.splitlines())})


def _create_folder(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    result = _bash(shell, _CREATE_FOLDER, item["path"], item.get("overwrite", True), *_ownership(item))
    return Outcome(result.exit_code)


def _create_symlink(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    return Outcome(_bash(shell, _SYMLINK, item["path"], item["target"], item.get("force", False)).exit_code)


def _transfer(script: str) -> Callable[[Shell, Mapping[str, Any]], Outcome]:
    def run(shell: Shell, item: Mapping[str, Any]) -> Outcome:
        arguments = (item["source"], item["destination"], item.get("overwrite", True))
        return Outcome(_bash(shell, script, *arguments).exit_code)

    return run


def _delete_file(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    return Outcome(_bash(shell, _DELETE_FILE, item["path"]).exit_code)


def _delete_folder(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    script = 'if [ "$2" = true ]; then rm -rf -- "$1"; else rmdir -- "$1"; fi'
    return Outcome(_bash(shell, script, item["path"], item.get("force", False)).exit_code)


def _set_owner(*, recursive: bool) -> Callable[[Shell, Mapping[str, Any]], Outcome]:
    def run(shell: Shell, item: Mapping[str, Any]) -> Outcome:
        owner = f"{item.get('owner', '')}:{item['group']}" if "group" in item else str(item.get("owner", ""))
        if not owner:
            raise ActionFailed("neither owner nor group is given")
        deep = ["-R"] if str(item.get("recursive", recursive)).lower() == "true" else []
        return Outcome(shell.run("chown", *deep, "--", owner, str(item["path"])).exit_code)

    return run


def _set_permissions(*, recursive: bool) -> Callable[[Shell, Mapping[str, Any]], Outcome]:
    def run(shell: Shell, item: Mapping[str, Any]) -> Outcome:
        deep = ["-R"] if str(item.get("recursive", recursive)).lower() == "true" else []
        return Outcome(shell.run("chmod", *deep, "--", str(item["permissions"]), str(item["path"])).exit_code)

    return run


def _s3_download(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    content = shell.s3_object(str(item["source"]))
    path, overwrite = item["destination"], item.get("overwrite", True)
    return Outcome(_bash(shell, _CREATE_FILE, path, overwrite, "", "", "", stdin=content).exit_code)


def _web_download(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    checksum, algorithm = str(item.get("checksum", "")), str(item.get("algorithm", "")).lower().replace("-", "")
    if checksum and algorithm not in ("md5", "sha1", "sha256", "sha512"):
        raise ActionFailed("a checksum needs an algorithm: MD5, SHA1, SHA256 or SHA512")
    overwrite, insecure = item.get("overwrite", True), item.get("ignoreCertificateErrors", False)
    words = (item["source"], item["destination"], overwrite, insecure, checksum.lower(), algorithm)
    return Outcome(_bash(shell, _WEB_DOWNLOAD, *words).exit_code)


def _content(item: Mapping[str, Any]) -> bytes:
    encoding = str(item.get("encoding", "utf-8")).lower().replace("-", "")
    known = {
        "utf8": "utf-8",
        **{f"utf{bits}": f"utf-{bits}-le" for bits in (16, 32)},
        **{f"utf{bits}{end}": f"utf-{bits}-{end}" for bits in (16, 32) for end in ("le", "be")},
    }
    if encoding not in known:
        raise ActionFailed(f"'{item['encoding']}' is no encoding AWSTOE knows")
    return str(item.get("content", "")).encode(known[encoding])


def _ownership(item: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(item.get("permissions", "")), str(item.get("owner", "")), str(item.get("group", ""))


_SETTLE = """
if [ -n "$3" ]; then chmod -- "$3" "$1"; fi
if [ -n "$4$5" ]; then chown -- "$4${5:+:$5}" "$1"; fi
"""

_CREATE_FILE = (
    """set -eu
if [ -e "$1" ] && [ "$2" = false ]; then echo "$1 is already there" >&2; exit 1; fi
mkdir -p -- "$(dirname -- "$1")"
cat > "$1"
"""
    + _SETTLE
)

_CREATE_FOLDER = (
    """set -eu
if [ -e "$1" ]; then
  if [ "$2" = false ] || [ ! -d "$1" ]; then echo "$1 is already there" >&2; exit 1; fi
  rm -rf -- "$1"
fi
mkdir -p -- "$1"
"""
    + _SETTLE
)

_SYMLINK = """set -eu
[ -e "$2" ] || { echo "no file $2" >&2; exit 1; }
if [ -e "$1" ] || [ -L "$1" ]; then
  if [ "$3" != true ] || [ ! -L "$1" ]; then echo "$1 is already there" >&2; exit 1; fi
  rm -f -- "$1"
fi
mkdir -p -- "$(dirname -- "$1")"
ln -s -- "$2" "$1"
"""

_DELETE_FILE = """set -eu; IFS=; shopt -s nullglob
case $1 in *'*'*) files=($1) ;; *) files=("$1") ;; esac
for file in "${files[@]}"; do if [ -f "$file" ] || [ -L "$file" ] || [ "$file" = "$1" ]; then rm -- "$file"; fi; done
"""

_LIST_FILES = """set -eu
if [ "$3" = true ]; then find "$1" -type f -name "$2"; else find "$1" -maxdepth 1 -type f -name "$2"; fi | sort
"""

_TRANSFER = """set -eu; IFS=; shopt -s nullglob
case $1 in *'*'*) found=($1) ;; *) found=("$1") ;; esac
[ ${{#found[@]}} -gt 0 ] || {{ echo "nothing matches $1" >&2; exit 1; }}
for from in "${{found[@]}}"; do
  [ {kind} "$from" ] || {{ echo "$from is not there" >&2; exit 1; }}
  case $2 in */) to=$2$(basename -- "$from") ;; *) to=$2 ;; esac
  if [ "$3" = false ] && [ -e "$to" ]; then echo "$to is already there" >&2; exit 1; fi
  mkdir -p -- "$(dirname -- "$to")"
  {command}
done
"""

_WEB_DOWNLOAD = """set -eu
if [ -e "$2" ] && [ "$3" = false ]; then echo "$2 is already there" >&2; exit 1; fi
mkdir -p -- "$(dirname -- "$2")"
insecure=; if [ "$4" = true ]; then insecure=--insecure; fi
curl --fail --silent --show-error --location --max-redirs 10 $insecure --output "$2" -- "$1"
[ -n "$5" ] || exit 0
echo "$5  $2" | "${6}sum" --check --status || { echo "the checksum of $1 differs" >&2; exit 1; }
"""

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


_COPY_FILE = _transfer(_TRANSFER.format(kind="-f", command='cp -- "$from" "$to"'))
_MOVE_FILE = _transfer(_TRANSFER.format(kind="-f", command='mv -- "$from" "$to"'))
_COPY_FOLDER = _transfer(_TRANSFER.format(kind="-d", command='mkdir -p -- "$to"; cp -R -- "$from/." "$to"'))
_MOVE_FOLDER = _transfer(_TRANSFER.format(kind="-d", command='rm -rf -- "${to%/}"; mv -- "$from" "${to%/}"'))

ACTIONS: dict[str, Action] = {
    "ExecuteBash": _of(_execute_bash, "commands"),
    "ExecuteBinary": _of(_execute_binary, "path", "arguments"),
    "Assert": Action(_assert, free=True),
    "Reboot": _of(_reboot, "", "delaySeconds"),
    "UpdateOS": _of(_update_os, "", "include exclude"),
    "S3Download": _items(_s3_download, "source destination", "expectedBucketOwner overwrite"),
    "WebDownload": _items(_web_download, "source destination", "overwrite checksum algorithm ignoreCertificateErrors"),
    "AppendFile": _items(_append_file, "path", "content encoding"),
    "CopyFile": _items(_COPY_FILE, "source destination", "overwrite"),
    "CopyFolder": _items(_COPY_FOLDER, "source destination", "overwrite"),
    "CreateFile": _items(_create_file, "path", "content encoding owner group permissions overwrite"),
    "CreateFolder": _items(_create_folder, "path", "owner group permissions overwrite"),
    "CreateSymlink": _items(_create_symlink, "path target", "force"),
    "DeleteFile": _items(_delete_file, "path"),
    "DeleteFolder": _items(_delete_folder, "path", "force"),
    "ListFiles": _items(_list_files, "path", "fileNamePattern recursive"),
    "MoveFile": _items(_MOVE_FILE, "source destination", "overwrite"),
    "MoveFolder": _items(_MOVE_FOLDER, "source destination", "overwrite"),
    "ReadFile": _items(_read_file, "path", "encoding"),
    "SetFileOwner": _items(_set_owner(recursive=False), "path", "owner group"),
    "SetFolderOwner": _items(_set_owner(recursive=True), "path", "owner group recursive"),
    "SetFilePermissions": _items(_set_permissions(recursive=False), "path permissions"),
    "SetFolderPermissions": _items(_set_permissions(recursive=True), "path permissions", "recursive"),
    # AWSTOE's other actions: a document may hold them, a build that meets one fails and says so
    "ExecuteDocument": _of(None, "document", "phases parameters"),
    "ExecutePowerShell": _of(None, "", "commands file"),
    "S3Upload": _items(None, "source destination", "recurse expectedBucketOwner"),
    "SetFileEncoding": _items(None, "path", "encoding"),
    "InstallMSI": Action(None, free=True),
    "UninstallMSI": Action(None, free=True),
    "SetRegistry": Action(None, free=True),
}
