"""AWSTOE component documents: values, the text they are read from and written to, and what AWSTOE accepts."""

from imagebuilder.documents.document import (
    MOST_CHARACTERS,
    MOST_INLINE_CHARACTERS,
    Constant,
    Document,
    Parameter,
    Phase,
    Step,
    fill,
    load,
    parse,
    render,
    with_constant,
)

__all__ = [
    "MOST_CHARACTERS",
    "MOST_INLINE_CHARACTERS",
    "Constant",
    "Document",
    "Parameter",
    "Phase",
    "Step",
    "fill",
    "load",
    "parse",
    "render",
    "with_constant",
]
