"""Do the actions on files and folders by small scripts on the machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.imagebuilder.acting import ActionFailed, Outcome, Shell, bash, is_set

Run = Callable[[Shell, Mapping[str, Any]], Outcome]

_CODECS = {"utf8": "utf-8", "utf16": "utf-16le", "utf32": "utf-32le"}
_CODECS |= {f"utf{bits}-{end}": f"utf-{bits}{end}" for bits in (16, 32) for end in ("le", "be")}
ENCODINGS = (*_CODECS, *(name.replace("utf", "utf-") for name in _CODECS))
"""What AWSTOE calls encodings, without regard to case; 16 and 32 bits are little-endian unless told otherwise."""


def _create_file(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    path, overwrite = item["path"], item.get("overwrite", True)
    result = bash(shell, _CREATE_FILE, path, overwrite, *_ownership(item), stdin=_content(item))
    return Outcome(result.exit_code)


def _append_file(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    script = 'set -eu; [ -f "$1" ] || { echo "no file $1" >&2; exit 1; }; cat >> "$1"'
    return Outcome(bash(shell, script, item["path"], stdin=_content(item)).exit_code)


def _read_file(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    script = 'set -eu; iconv -f "$2" -t UTF-8 -- "$1"'
    quiet = not is_set(item, "printFileContent")
    result = bash(shell, script, item["path"], _codec(item), quiet=quiet)
    return Outcome(result.exit_code, {"content": result.stdout})


def _list_files(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    arguments = (item["path"], item.get("fileNamePattern", "*"), item.get("recursive", False))
    result = bash(shell, _LIST_FILES, *arguments, quiet=True)
    return Outcome(result.exit_code, {"files": ",".join(result.stdout.splitlines())})


def _create_folder(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    result = bash(shell, _CREATE_FOLDER, item["path"], item.get("overwrite", True), *_ownership(item))
    return Outcome(result.exit_code)


def _create_symlink(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    return Outcome(bash(shell, _SYMLINK, item["path"], item["target"], item.get("force", False)).exit_code)


def _transfer(script: str) -> Callable[[Shell, Mapping[str, Any]], Outcome]:
    def run(shell: Shell, item: Mapping[str, Any]) -> Outcome:
        arguments = (item["source"], item["destination"], item.get("overwrite", True))
        return Outcome(bash(shell, script, *arguments).exit_code)

    return run


def _delete_file(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    return Outcome(bash(shell, _DELETE_FILE, item["path"]).exit_code)


def _delete_folder(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    script = 'if [ "$2" = true ]; then rm -rf -- "$1"; else rmdir -- "$1"; fi'
    return Outcome(bash(shell, script, item["path"], item.get("force", False)).exit_code)


def _set_encoding(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    return Outcome(bash(shell, _SET_ENCODING, item["path"], _codec(item)).exit_code)


def _set_owner(shell: Shell, item: Mapping[str, Any], *, is_deep: bool) -> Outcome:
    owner = str(item["owner"])
    if "group" in item:
        owner += f":{item['group']}"
    elif not owner.isdigit():
        owner += ":"  # the owner's own group; a bare number has none that is known
    deep = ["-R"] if is_deep else []
    return Outcome(shell.run("chown", *deep, "--", owner, str(item["path"])).exit_code)


def _set_permissions(shell: Shell, item: Mapping[str, Any], *, is_deep: bool) -> Outcome:
    deep = ["-R"] if is_deep else []
    return Outcome(shell.run("chmod", *deep, "--", str(item["permissions"]), str(item["path"])).exit_code)


def _set_file_owner(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    return _set_owner(shell, item, is_deep=False)


def _set_folder_owner(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    return _set_owner(shell, item, is_deep=is_set(item, "recursive", default=True))


def _set_file_permissions(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    return _set_permissions(shell, item, is_deep=False)


def _set_folder_permissions(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    return _set_permissions(shell, item, is_deep=is_set(item, "recursive", default=True))


def _content(item: Mapping[str, Any]) -> bytes:
    return str(item.get("content", "")).encode(_codec(item))


def _codec(item: Mapping[str, Any]) -> str:
    name = str(item.get("encoding", "utf-8")).lower()
    if name not in ENCODINGS:
        raise ActionFailed(f"'{item['encoding']}' is no encoding AWSTOE knows")
    return _CODECS[name.replace("utf-", "utf")]


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

# the file stays the same one, with its owner and permissions
_SET_ENCODING = """set -eu
changed=$(mktemp)
trap 'rm -f -- "$changed"' EXIT
iconv -f UTF-8 -t "$2" -- "$1" > "$changed"
cat -- "$changed" > "$1"
"""

RUNS: dict[str, Run] = {
    "AppendFile": _append_file,
    "CopyFile": _transfer(_TRANSFER.format(kind="-f", command='cp -- "$from" "$to"')),
    "CopyFolder": _transfer(_TRANSFER.format(kind="-d", command='mkdir -p -- "$to"; cp -R -- "$from/." "$to"')),
    "CreateFile": _create_file,
    "CreateFolder": _create_folder,
    "CreateSymlink": _create_symlink,
    "DeleteFile": _delete_file,
    "DeleteFolder": _delete_folder,
    "ListFiles": _list_files,
    "MoveFile": _transfer(_TRANSFER.format(kind="-f", command='mv -- "$from" "$to"')),
    "MoveFolder": _transfer(_TRANSFER.format(kind="-d", command='rm -rf -- "${to%/}"; mv -- "$from" "${to%/}"')),
    "ReadFile": _read_file,
    "SetFileEncoding": _set_encoding,
    "SetFileOwner": _set_file_owner,
    "SetFilePermissions": _set_file_permissions,
    "SetFolderOwner": _set_folder_owner,
    "SetFolderPermissions": _set_folder_permissions,
}
"""What does each of the actions."""
