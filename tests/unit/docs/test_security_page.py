"""Each proof that the page on security names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROOFS = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/explanation/security.md").read_text("utf-8"))


@pytest.mark.parametrize(("file", "test"), PROOFS, ids=[test for _, test in PROOFS])
def test_a_proof_is_there(file: str, test: str) -> None:
    assert re.search(rf"^def {test}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE)


def test_the_page_names_proofs() -> None:
    assert len(PROOFS) > 20
