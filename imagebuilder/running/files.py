"""Do the actions on files and folders by small scripts on the machine.

What each does: the user guide of EC2 Image Builder, `toe-action-modules`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from imagebuilder.documents.yaml_nodes import Value
from imagebuilder.running.attempt import ActionFailed, Attempt, Outcome
from imagebuilder.running.output import Output, Stream

Entry = Mapping[str, Value]
Act = Callable[[Attempt, Entry], Outcome]

_FAIL = 'set -eu; fail() { printf "%s\\n" "$*" >&2; exit 1; }\n'


def flag(entry: Entry, name: str, default: bool) -> bool:
    """Read a truth value, which a reference gives as text."""
    return str(entry.get(name, default)).lower() == "true"


def text(entry: Entry, name: str, default: str = "") -> str:
    """Read a text; YAML gives some of them as numbers."""
    value = entry.get(name)
    return default if value is None else str(value)


def create_file(attempt: Attempt, entry: Entry) -> Outcome:
    """Write a file anew, with the folders above it."""
    script = """[ ! -e "$1" ] || [ "$2" = true ] || fail "$1 is already there"
mkdir -p -- "$(dirname -- "$1")"
content > "$1"
"""
    content = text(entry, "content").encode(_encoding(entry))
    words = (text(entry, "path"), flag(entry, "overwrite", True), *_ownership(entry))
    return Outcome(attempt.bash(_FAIL + script + _SETTLE, *words, content=content).exit_code)


def append_file(attempt: Attempt, entry: Entry) -> Outcome:
    """Write at the end of a file that is there."""
    content = text(entry, "content").encode(_encoding(entry))
    script = '[ -f "$1" ] || fail "no file $1"\ncontent >> "$1"\n'
    return Outcome(attempt.bash(_FAIL + script, text(entry, "path"), content=content).exit_code)


def read_file(attempt: Attempt, entry: Entry) -> Outcome:
    """Give a file's content; the log has it on demand only."""
    result = attempt.bash('exec cat -- "$1"', text(entry, "path"), quiet=True)
    if result.exit_code != 0:
        return Outcome(result.exit_code)
    try:
        content = result.stdout.decode(_encoding(entry))
    except UnicodeDecodeError as error:
        raise ActionFailed(f"{text(entry, 'path')} is no {text(entry, 'encoding', 'utf-8')} text") from error
    if flag(entry, "printFileContent", False):
        output = Output(attempt.log)
        output.take(Stream.STDOUT, content.encode())
        output.end()
    return Outcome(0, {"content": content})


def set_encoding(attempt: Attempt, entry: Entry) -> Outcome:
    """Write a UTF-8 file in another encoding, in its place."""
    path, to = text(entry, "path"), _encoding(entry)
    script = """[ -f "$1" ] || fail "no file $1"
part=$1.rampart-part
trap 'rm -f -- "$part"' EXIT
iconv -f UTF-8 -t "$2" < "$1" > "$part"
cat "$part" > "$1"
"""
    return Outcome(attempt.bash(_FAIL + script, path, to.upper()).exit_code)


def delete_file(attempt: Attempt, entry: Entry) -> Outcome:
    """Delete a file, or all that match a pattern; none may."""
    script = """IFS=; shopt -s nullglob
case $1 in *'*'*) found=($1) ;; *) [ -f "$1" ] || [ -L "$1" ] || fail "no file $1"; found=("$1") ;; esac
for file in ${found[@]+"${found[@]}"}; do [ -d "$file" ] && [ ! -L "$file" ] || rm -f -- "$file"; done
"""
    return Outcome(attempt.bash(_FAIL + script, text(entry, "path")).exit_code)


def list_files(attempt: Attempt, entry: Entry) -> Outcome:
    """Give the paths of a folder's files, with a comma in between."""
    script = """[ -d "$1" ] || fail "no folder $1"
depth=; [ "$3" = true ] || depth='-maxdepth 1'
find "$1" $depth -type f -name "$2" | LC_ALL=C sort
"""
    words = (text(entry, "path"), text(entry, "fileNamePattern", "*"), flag(entry, "recursive", False))
    result = attempt.bash(_FAIL + script, *words, quiet=True)
    return Outcome(result.exit_code, {"files": ",".join(result.text.splitlines())} if result.exit_code == 0 else {})


def create_folder(attempt: Attempt, entry: Entry) -> Outcome:
    """Make an empty folder, with those above it."""
    script = """if [ -e "$1" ]; then
  [ "$2" = true ] && [ -d "$1" ] || fail "$1 is already there"
  rm -rf -- "$1"
fi
mkdir -p -- "$1"
"""
    words = (text(entry, "path"), flag(entry, "overwrite", True), *_ownership(entry))
    return Outcome(attempt.bash(_FAIL + script + _SETTLE, *words).exit_code)


def delete_folder(attempt: Attempt, entry: Entry) -> Outcome:
    """Delete a folder, with what is in it on demand only."""
    script = """[ -d "$1" ] || fail "no folder $1"
if [ "$2" = true ]; then rm -rf -- "$1"; else rmdir -- "$1"; fi
"""
    return Outcome(attempt.bash(_FAIL + script, text(entry, "path"), flag(entry, "force", False)).exit_code)


def create_symlink(attempt: Attempt, entry: Entry) -> Outcome:
    """Make a symbolic link to something that is there."""
    script = """[ -e "$2" ] || fail "no file $2"
if [ -e "$1" ] || [ -L "$1" ]; then
  [ "$3" = true ] && [ -L "$1" ] || fail "$1 is already there"
  rm -f -- "$1"
fi
mkdir -p -- "$(dirname -- "$1")"
ln -s -- "$2" "$1"
"""
    words = (text(entry, "path"), text(entry, "target"), flag(entry, "force", False))
    return Outcome(attempt.bash(_FAIL + script, *words).exit_code)


def transfer(kind: str, command: str) -> Act:
    """Make one of the copying and moving actions; `command` brings "$from" to "$to"."""

    def act(attempt: Attempt, entry: Entry) -> Outcome:
        words = (text(entry, "source"), text(entry, "destination"), flag(entry, "overwrite", True))
        return Outcome(attempt.bash(_FAIL + _TRANSFER.format(kind=kind, command=command), *words).exit_code)

    return act


def set_owner(*, is_folder: bool) -> Act:
    """Make one of the actions that give a file or a folder to somebody."""

    def act(attempt: Attempt, entry: Entry) -> Outcome:
        owner = text(entry, "owner")
        # without a group it goes to the owner's own, which a bare number may not have
        owner += f":{text(entry, 'group')}" if "group" in entry else "" if owner.isdigit() else ":"
        return _changed(attempt, entry, "chown", owner, is_folder)

    return act


def set_permissions(*, is_folder: bool) -> Act:
    """Make one of the actions that say who may do what with a file or a folder."""

    def act(attempt: Attempt, entry: Entry) -> Outcome:
        return _changed(attempt, entry, "chmod", text(entry, "permissions"), is_folder)

    return act


def _changed(attempt: Attempt, entry: Entry, program: str, value: str, is_folder: bool) -> Outcome:
    test, what = ("-d", "folder") if is_folder else ("-f", "file")
    deep = "-R" if is_folder and flag(entry, "recursive", True) else ""
    script = f'[ {test} "$1" ] || fail "no {what} $1"\n{program} {deep} -- "$2" "$1"\n'
    return Outcome(attempt.bash(_FAIL + script, text(entry, "path"), value).exit_code)


def _ownership(entry: Entry) -> tuple[str, str, str]:
    return text(entry, "permissions"), text(entry, "owner"), text(entry, "group")


def _encoding(entry: Entry) -> str:
    """Python's name, which is iconv's too; 16 and 32 bits are little-endian unless said otherwise."""
    given = text(entry, "encoding", "utf-8").lower().replace("-", "")
    bits, end = given.removeprefix("utf")[:2], given.removeprefix("utf")[2:]
    if given == "utf8":
        return "utf-8"
    if not given.startswith("utf") or bits not in ("16", "32") or end not in ("", "le", "be"):
        raise ActionFailed(f"{text(entry, 'encoding')!r} is no encoding AWSTOE knows")
    return f"utf-{bits}{end or 'le'}"


_SETTLE = """if [ -n "$3" ]; then chmod -- "$3" "$1"; fi
if [ -n "$4" ]; then chown -- "$4" "$1"; fi
if [ -n "$5" ]; then chgrp -- "$5" "$1"; fi
"""

_TRANSFER = """IFS=; shopt -s nullglob
case $1 in *'*'*) found=($1) ;; *) found=("$1") ;; esac
count=0
for from in ${{found[@]+"${{found[@]}}"}}; do
  [ {kind} "$from" ] || case $1 in *'*'*) continue ;; *) fail "$from is not there" ;; esac
  count=$((count + 1))
  case $2 in */) to=$2$(basename -- "$from") ;; *) to=$2 ;; esac
  [ "$3" = true ] || [ ! -e "$to" ] || fail "$to is already there"
  mkdir -p -- "$(dirname -- "$to")"
  {command}
done
[ "$count" -gt 0 ] || fail "nothing matches $1"
"""
