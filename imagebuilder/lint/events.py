"""Lint the documents of an event's image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from contracts.errors import BadDocument
from contracts.event import EventConfig
from contracts.findings import Level
from imagebuilder import catalogue
from imagebuilder.lint import linter, secret_words
from imagebuilder.lint.linter import Lint

_CHECK = "secret-in-clear"


def lint_event(event: EventConfig) -> tuple[Lint, ...]:
    """List what is wrong with the event's own documents and with those of the library that its image is made of.

    The own ones are named by their files; the library's by their components, with the lines of the document that EC2
    Image Builder is given. Raises AskedWrongly where a file cannot be read, KitInvalid where the kit cannot be packed.
    """
    own = event.infra.image.components
    found = [one for each in own for one in linter.lint_file(each.document)]
    found.extend(_of_values(event))
    try:
        components = catalogue.components(event)
    except BadDocument:
        return tuple(found)  # what is wrong with an own document has been said
    of_own = f"rampart-{event.name}-own-"
    for each in components:
        if not each.name.startswith(of_own):
            found.extend(linter.lint(each.data, Path(each.name), comes_from_s3=True))
    return tuple(found)


def _of_values(event: EventConfig) -> Iterator[Lint]:
    """Look at what the event file gives its own documents: parameters of a recipe can be read by everybody too."""
    for each in event.infra.image.components:
        for name, value in each.parameters.items():
            named = secret_words.is_named_like_a_secret(name) and secret_words.is_literal(value)
            if named or next(secret_words.secrets(value), None):
                message = f"the value of {name} for {each.document.name} is a secret written in clear"
                remedy = "declare it in infra.secrets and let the document fetch it in a step"
                yield Lint(event.path, None, _CHECK, Level.ERROR, message, remedy)
