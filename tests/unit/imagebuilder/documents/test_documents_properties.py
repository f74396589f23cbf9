"""Whatever a document says, it survives being written and read; whatever bytes come, no traceback does."""

from __future__ import annotations

import contextlib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import BadDocument
from imagebuilder import documents
from imagebuilder.documents import Document
from tests import written_documents


@settings(max_examples=20)
@given(written_documents.documents())
def test_every_document_is_read_back_as_it_was_written(document: Document) -> None:
    assert documents.parse(documents.render(document), Path("generated.yml")) == document


@settings(max_examples=150)
@given(st.binary(max_size=200) | written_documents.TEXT.map(str.encode))
def test_no_bytes_end_in_a_traceback(source: bytes) -> None:
    with contextlib.suppress(BadDocument):
        documents.parse(source, Path("any.yml"))


SOURCE = (Path(documents.__file__).parents[1] / "components" / "challenge-kit-folder.yml").read_text()


@settings(max_examples=100)
@given(
    st.integers(0, len(SOURCE)),
    st.integers(0, 40),
    written_documents.TEXT | st.sampled_from(["{{", "}}", "&a ", "*a", "? ", "!!int "]),
)
def test_no_damage_to_a_good_document_ends_in_a_traceback(at: int, removed: int, inserted: str) -> None:
    with contextlib.suppress(BadDocument):
        documents.parse(SOURCE[:at] + inserted + SOURCE[at + removed :], Path("damaged.yml"))
