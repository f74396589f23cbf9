"""The emulator and the product read component documents alike, though they share no parser."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.imagebuilder.document import DocumentRefused, parse

CASES = Path(__file__).parents[3] / "data" / "documents"
ONLY_AT_RUN_TIME = {"references.yml"}
"""AWSTOE leaves a reference that means nothing as it stands; the product refuses it beforehand."""


def cases(kind: str) -> list[Path]:
    return sorted(path for path in (CASES / kind).glob("*.yml") if path.name not in ONLY_AT_RUN_TIME)


@pytest.mark.parametrize("path", cases("accepted"), ids=lambda path: path.stem)
def test_what_the_product_accepts_the_emulator_accepts(path: Path) -> None:
    parse(path.read_text())


@pytest.mark.parametrize("path", cases("refused"), ids=lambda path: path.stem)
def test_what_the_product_refuses_the_emulator_refuses(path: Path) -> None:
    with pytest.raises(DocumentRefused, match="line "):
        parse(path.read_text())
