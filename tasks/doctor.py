"""The command that looks for what is wrong: doctor."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tasks.command import EVENT_HELP, JSON_HELP, LOCAL_HELP, command

_FAULT_SUITE = Path(__file__).resolve().parent.parent / "tests" / "faults"
_END_OF_A_TEST = re.compile(r"::test_(?P<name>\w+)(\[(?P<which>.*)\])? (?P<outcome>PASSED|FAILED|ERROR|SKIPPED)")
_OUTCOMES = {"PASSED": "ok", "FAILED": "failed", "ERROR": "failed", "SKIPPED": "skipped"}
_OUTCOME_STYLES = {"ok": "green", "failed": "red", "skipped": "yellow"}
_STYLES = {"ok": "green", "warning": "yellow", "error": "red"}


@command(
    help=EVENT_HELP
    | LOCAL_HELP
    | JSON_HELP
    | {"chaos": "instead: kill dispatchers and hosts of a rehearsal and see that nothing is lost (takes minutes)"}
)
def doctor(
    event: str | None = None,
    config: str | None = None,
    local: bool = False,
    json: bool = False,
    chaos: bool = False,
) -> None:
    """Look at all that an event needs: file, database, disk, environment, credentials, key, image, security group.

    Example: invoke doctor --event iris
    """
    import dataclasses

    from tasks import checkup, console, typed

    if chaos:
        sys.exit(_chaos())
    findings = checkup.check(event, config=config, local=local)
    if json:
        console.data([dataclasses.asdict(finding) for finding in findings])
    else:
        width = max(len(finding.about) for finding in findings)
        for one in findings:
            console.result(f"{one.level:<8} {one.about:<{width}}  {one.message}", style=_STYLES[one.level])
            if one.hint:
                console.result(f"{'':<8} {'':<{width}}  hint: {typed.again(one.hint)}")
    errors, warnings = (sum(one.level == level for one in findings) for level in ("error", "warning"))
    console.say(f"{_counted(errors, 'error')}, {_counted(warnings, 'warning')}")
    if errors:
        sys.exit(1)


def _chaos() -> int:
    """Run the fault suite of a checkout; gives its exit code."""
    import importlib.util
    import subprocess

    from contracts.errors import ToolMissing
    from tasks import console

    if not _FAULT_SUITE.is_dir():
        hint = "clone the repository, then there: make install, invoke doctor --chaos"
        raise ToolMissing("the fault suite is not installed: it belongs to a checkout, in tests/faults", hint=hint)
    if importlib.util.find_spec("pytest") is None:
        raise ToolMissing("pytest is not installed here", hint="make install brings it")
    console.say("killing dispatchers and hosts of a rehearsal; this takes some minutes ...")
    argv = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", str(_FAULT_SUITE)]
    others: list[str] = []
    with subprocess.Popen(argv, cwd=_FAULT_SUITE.parent.parent, stdout=subprocess.PIPE, text=True) as suite:
        for line in suite.stdout or ():
            ended = outcome_in(line)
            if ended is None:
                others.append(line.rstrip())
            else:
                console.result(f"{ended[0]:<8} {ended[1]}", style=_OUTCOME_STYLES[ended[0]])
    if suite.returncode:
        console.result("\n".join(others))
    return suite.returncode


def outcome_in(line: str) -> tuple[str, str] | None:
    """How a test ended, and the sentence it holds us to; None where the line tells of no test's end."""
    ended = _END_OF_A_TEST.search(line)
    if ended is None:
        return None
    sentence = ended["name"] + (f" ({ended['which']})" if ended["which"] else "")
    return _OUTCOMES[ended["outcome"]], sentence.replace("_", " ")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
