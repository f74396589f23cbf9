"""The pages that are written by a script say what the script would write now."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.parametrize(
    ("script", "page"),
    [
        ("how-to/make_costs.py", "how-to/costs.md"),
        ("reference/make_infra.py", "reference/infra.md"),
        ("reference/make_lint.py", "reference/lint.md"),
    ],
)
def test_a_written_page_is_up_to_date(script: str, page: str) -> None:
    made = runpy.run_path(str(DOCS / script))["page"]()

    assert (DOCS / page).read_text(encoding="utf-8") == made, f"write it anew: python docs/{script}"
