"""Do AWSTOE's actions on a Linux machine."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping

from imagebuilder.documents.yaml_nodes import Value
from imagebuilder.running import deciding, files, transfers
from imagebuilder.running.attempt import ActionFailed, Attempt, Outcome
from imagebuilder.running.files import Act

REBOOT_EXIT_CODE = 194
"""A script that ends with it wants the machine restarted, and to be run again."""


def perform(name: str, inputs: Value, attempt: Attempt) -> Outcome:
    """Do one action with filled inputs. Raises ActionFailed, and what `Machine.run` does."""
    if name in _WHOLE:
        return _WHOLE[name](attempt, inputs)
    act = _ENTRIES.get(name)
    if act is None:
        raise ActionFailed(f"{name} is an action for Windows only")
    outputs: dict[str, str] = {}
    for entry in inputs if isinstance(inputs, list) else [inputs]:
        if not isinstance(entry, dict):
            raise ActionFailed(f"an input of {name} is not a mapping")
        outcome = act(attempt, entry)
        if outcome.exit_code != 0:
            return outcome
        outputs = joined(outputs, outcome.outputs)
    return Outcome(0, outputs)


def joined(outputs: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Put the outputs of two entries, or of two turns of a loop, together: a line each, as AWSTOE does."""
    return {**outputs, **{name: f"{outputs[name]}\n{text}" if name in outputs else text for name, text in more.items()}}


def _execute_bash(attempt: Attempt, inputs: Value) -> Outcome:
    commands = inputs.get("commands") if isinstance(inputs, dict) else None
    script = "\n".join(map(str, commands)) if isinstance(commands, list) else str(commands)
    return _run(attempt, script)


def _execute_binary(attempt: Attempt, inputs: Value) -> Outcome:
    if not isinstance(inputs, dict):
        raise ActionFailed("ExecuteBinary needs a path")
    arguments = inputs.get("arguments") or []
    words = [str(inputs.get("path")), *(map(str, arguments) if isinstance(arguments, list) else [str(arguments)])]
    return _run(attempt, f"exec -- {shlex.join(words)}")


def _run(attempt: Attempt, script: str) -> Outcome:
    result = attempt.bash(script)
    return Outcome(result.exit_code, {"stdout": result.text})


def _assert(attempt: Attempt, inputs: Value) -> Outcome:
    try:
        holds = deciding.holds(inputs, attempt.check)
    except deciding.Undecidable as error:
        raise ActionFailed(str(error)) from error
    return Outcome(0 if holds else 1)


def _reboot(attempt: Attempt, inputs: Value) -> Outcome:
    delay = inputs.get("delaySeconds", 0) if isinstance(inputs, dict) else 0
    if str(delay) != "0":
        attempt.bash('exec sleep "$1"', delay)
    attempt.log(RESTARTING)
    attempt.machine.restart()
    return Outcome()


RESTARTING = "Restarting the machine"


def _update_os(attempt: Attempt, inputs: Value) -> Outcome:
    given = inputs if isinstance(inputs, dict) else {}
    lists = [given.get(name) for name in ("include", "exclude")]
    include, exclude = ([str(each) for each in names] if isinstance(names, list) else [] for names in lists)
    if include and not (include := [name for name in include if name not in exclude]):
        return Outcome()
    return Outcome(attempt.bash(_UPDATE_OS, " ".join(include), " ".join(exclude)).exit_code)


_UPDATE_OS = """set -eu
include=$1 exclude=$2
if command -v apt-get > /dev/null; then
  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
  held=$(apt-mark showhold)
  trap 'for one in $exclude; do case " $(echo $held) " in *" $one "*) ;; *) apt-mark unhold "$one" ;; esac; done' EXIT
  for one in $exclude; do apt-mark hold "$one"; done
  apt-get -o DPkg::Lock::Timeout=600 -y update
  if [ -n "$include" ]; then apt-get -o DPkg::Lock::Timeout=600 -y --only-upgrade install $include
  else apt-get -o DPkg::Lock::Timeout=600 -y upgrade
  fi
else
  program=$(command -v dnf || command -v yum) || { echo 'neither apt-get nor yum is there' >&2; exit 1; }
  options=; for one in $exclude; do options="$options --exclude=$one"; done
  "$program" -y $options update $include
fi
"""

_WHOLE: dict[str, Callable[[Attempt, Value], Outcome]] = {
    "Assert": _assert,
    "ExecuteBash": _execute_bash,
    "ExecuteBinary": _execute_binary,
    "Reboot": _reboot,
    "UpdateOS": _update_os,
}
_ENTRIES: dict[str, Act] = {
    "AppendFile": files.append_file,
    "CopyFile": files.transfer("-f", 'cp -- "$from" "$to"'),
    "CopyFolder": files.transfer("-d", 'mkdir -p -- "$to"; cp -R -- "$from/." "$to"'),
    "CreateFile": files.create_file,
    "CreateFolder": files.create_folder,
    "CreateSymlink": files.create_symlink,
    "DeleteFile": files.delete_file,
    "DeleteFolder": files.delete_folder,
    "ListFiles": files.list_files,
    "MoveFile": files.transfer("-f", 'mv -f -- "$from" "$to"'),
    "MoveFolder": files.transfer("-d", 'rm -rf -- "${to%/}"; mv -- "$from" "${to%/}"'),
    "ReadFile": files.read_file,
    "S3Download": transfers.s3_download,
    "S3Upload": transfers.s3_upload,
    "SetFileEncoding": files.set_encoding,
    "SetFileOwner": files.set_owner(is_folder=False),
    "SetFilePermissions": files.set_permissions(is_folder=False),
    "SetFolderOwner": files.set_owner(is_folder=True),
    "SetFolderPermissions": files.set_permissions(is_folder=True),
    "WebDownload": transfers.web_download,
}
KNOWN = (*_WHOLE, *_ENTRIES)
"""The actions done here; a document's own execution does ExecuteDocument, all others are for Windows."""
