"""Table and page agree on what can be deployed."""

from __future__ import annotations

import re
from pathlib import Path

from localcloud.deployer import table
from localcloud.deployer.lookups import LOOKUPS

PAGE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "infra.md"


def test_the_page_lists_every_type_and_function_and_no_other() -> None:
    listed = set(re.findall(r"aws:\w+/\w+:\w+", PAGE.read_text(encoding="utf-8")))

    assert listed == set(table.HANDLERS) | set(LOOKUPS)
