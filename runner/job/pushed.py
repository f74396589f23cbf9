"""List the files of the supervisor as they are pushed to a host."""

from __future__ import annotations

from pathlib import Path

import runner

SUPERVISOR = "supervise"
"""The folder, inside a job folder, that the host's Python runs."""


def supervisor_files() -> dict[str, Path]:
    """Give each file's name inside a job folder, and where it is here."""
    package = Path(__file__).parent / "supervisor"
    root = Path(runner.__file__).parent
    files = {f"{SUPERVISOR}/__main__.py": package / "__main__.py"}
    for path in (root / "__init__.py", root / "job" / "__init__.py", *sorted(package.glob("[!_]*.py"))):
        files[f"{SUPERVISOR}/{path.relative_to(root.parent).as_posix()}"] = path
    files[f"{SUPERVISOR}/runner/job/supervisor/__init__.py"] = package / "__init__.py"
    return files
