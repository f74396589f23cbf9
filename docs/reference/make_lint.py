"""Write docs/reference/lint.md from the linter's table of checks.

python docs/reference/make_lint.py
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # a script's own folder is all that Python looks in

from imagebuilder.lint import CHECKS, Check  # noqa: E402

_BEGINNING = """# The linter of image components

Written by `docs/reference/make_lint.py` from the linter's table of checks (`imagebuilder/lint/table.py`).

`invoke lint-images` says what is wrong with component documents before a build does. It asks no cloud and changes nothing.

| typed | looked at |
|---|---|
| `invoke lint-images` | the library of Rampart |
| `invoke lint-images --path FILE --path FOLDER` | these documents; of a folder all `.yml` and `.yaml` files below it |
| `invoke lint-images --event NAME` | the event's own documents (`infra.image.components`) with the values the event file gives them, and those of the library as the event's recipe holds them |

One line for each finding, in the order of the lines: `file:line: level: what is wrong — what to do [check]`. `--json` prints
`file`, `line`, `level`, `check`, `message`, `remedy` and `allowed` of each. Exit code 0: no errors, there may be
warnings. 1: errors. 2: a file that is not there, or options that contradict each other.

Everything is listed at once, also of a document that AWSTOE would refuse. Scripts are read as the shell reads them: comments,
quoted text and here-documents are no commands; `sudo -u USER`, `env`, `timeout`, `sh -c '...'` and the like are looked
through.

## Checks

"""

_END = """
## To leave something as it is

    # lint: allow CHECK because REASON

- At the end of a line: for that line.
- On a line of its own within a script: for the step.
- On a line of its own elsewhere: for the next line; before the first key for the whole document.

Several checks are divided by commas. What is allowed is counted, and shown with its reason by `--json`. `schema` and
`reference` cannot be allowed. Of the library's documents only comments
within scripts reach an event's recipe.

## What it cannot see

- Whether an address, a package or a version is there.
- Commands whose name a variable holds that the script does not set to a plain value itself, and programs written in other
  languages than the shell.
- Whether a checksum in the script comes from the author or from the server that gave the file.
- Every secret: a short password under a harmless name looks like a word.
"""


def page() -> str:
    """The whole page."""
    rows = "".join(_row(check) for check in CHECKS)
    return f"{_BEGINNING}| check | level | finds | because |\n|---|---|---|---|\n{rows}{_END}"


def _row(check: Check) -> str:
    finds, why = (text.replace("|", "\\|") for text in (check.finds, check.why))
    return f"| `{check.name}` | {check.level} | {finds} | {why} |\n"


if __name__ == "__main__":
    (HERE / "lint.md").write_text(page(), encoding="utf-8")
