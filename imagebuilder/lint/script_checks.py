"""Judge how a script is written: whether it stops when it fails, whether it is whole."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imagebuilder.lint.calls import Call, Script
from imagebuilder.lint.hits import Hit
from imagebuilder.lint.source import Source

_PREPARE = frozenset({"set", "export", "shopt", "trap", "umask", "readonly"})
_OF_AN_ACCOUNT = frozenset({"HOME", "USER", "LOGNAME"})


def shell_syntax(source: Source) -> Iterator[Hit]:
    """Quotes and substitutions that never end."""
    for script in _scripts(source):
        for line, what in script.faults:
            yield Hit(line, what, "close it")


def no_set_e(source: Source) -> Iterator[Hit]:
    """Scripts that go on after a command has failed, and then end well."""
    for step in source.steps:
        calls = [call for call in step.script.calls if call.is_top] if step.script else []
        working = [call for call in calls if call.program not in _PREPARE]
        stops = next((call for call in calls if _stops_on_failure(call)), None)
        if not _has_more_than_one_statement(working):
            continue
        if stops is None:
            message = f"the script of {step.name} goes on after a command that fails"
            yield Hit(calls[0].line, message, "begin it with set -eu")
        elif calls.index(stops) > calls.index(working[0]):
            yield Hit(stops.line, "set -e comes after commands that may fail", "begin the script with it")


def unquoted_reference(source: Source) -> Iterator[Hit]:
    """References that the shell splits and expands; once for every script."""
    for step in source.steps:
        found = [use for use in step.script.uses if use.has_bare_reference] if step.script else []
        if found:
            count = f"{len(found)} references" if len(found) > 1 else "a reference"
            message = f"{count} outside of quotes in the script of {step.name}: the shell splits and expands the value"
            reference = re.search(r"\{\{.*?\}\}", found[0].text)
            yield Hit(found[0].line, message, f"write '{reference[0] if reference else found[0].text}'")


def needless_sudo(source: Source) -> Iterator[Hit]:
    """sudo that makes root root."""
    for script in _scripts(source):
        for call in script.calls:
            if "sudo" in call.wrappers and call.user is None:
                yield Hit(call.line, "sudo, but every step runs as root already", "take it away; sudo -u USER is fine")


def unset_home(source: Source) -> Iterator[Hit]:
    """Variables of a login, which the agent that runs the steps may not have."""
    for script in _scripts(source):
        told: set[str] = set()
        for use in script.uses:
            for name in sorted(use.names & _OF_AN_ACCOUNT - script.assigned - told):
                told.add(name)
                remedy = "write the path out" if name == "HOME" else "write $(id -un)"
                yield Hit(use.line, f"${name} may be unset: a step is no login", remedy)


def _scripts(source: Source) -> Iterator[Script]:
    for step in source.steps:
        if step.script is not None:
            yield step.script


def _has_more_than_one_statement(calls: list[Call]) -> bool:
    """One test with its complaint, `test -f x || { echo ...; exit 1; }`, is one statement."""
    always = {call.pipeline for call in calls if call.is_always}
    return len(always) > 1 or len({call.pipeline for call in calls}) > 3


def _stops_on_failure(call: Call) -> bool:
    return call.program == "set" and call.is_always and (call.has_option("-e") or "errexit" in call.args)
