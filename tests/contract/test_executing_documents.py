"""One document is run the same way by whoever runs it: the same log, the same end, the same files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract import executors

CASES = Path(__file__).parents[1] / "data" / "executions"


@pytest.mark.parametrize("executor", executors.EXECUTORS)
@pytest.mark.parametrize("case", sorted(path.stem for path in CASES.glob("*.yml")))
def test_a_document_is_run_as_its_case_tells(executor: str, case: str, tmp_path: Path) -> None:
    source, expected = ((CASES / f"{case}{ending}").read_text() for ending in (".yml", ".txt"))
    assert executors.told(executor, source, tmp_path).splitlines() == expected.splitlines()
