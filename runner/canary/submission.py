"""Write the canary's program as a submission."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.canary.attempts import HOSTILE

_PACKAGE = "hostile/runner/canary/hostile"


def write(folder: Path, plan: Mapping[str, Any]) -> None:
    """Write program and plan into a new folder; `hostile` in it is what the host's Python runs."""
    package = folder / _PACKAGE
    package.mkdir(parents=True)
    for path in sorted(HOSTILE.glob("*.py")):
        shutil.copyfile(path, package / path.name)
    shutil.copyfile(HOSTILE / "__main__.py", folder / "hostile" / "__main__.py")
    for above in (package.parent, package.parent.parent):
        (above / "__init__.py").write_text('"""What is needed of the package of this name."""\n')
    (folder / "plan.json").write_text(json.dumps(plan))
