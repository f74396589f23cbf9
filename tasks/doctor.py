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
    from tasks import checkup, findings

    if chaos:
        sys.exit(_chaos())
    found = checkup.check(event, config=config, local=local)
    findings.show(found, as_json=json)
    if findings.has_errors(found):
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
