"""Replace secrets in a text by three stars."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from contracts.redaction import key_blocks, patterns
from contracts.redaction.forms import forms_of
from contracts.redaction.hidden import HIDDEN
from contracts.redaction.key_blocks import KeyBlocks

__all__ = ["BY_LOOK", "HIDDEN", "Redactor"]


class Redactor:
    """Knows secrets by their value, and credentials of common kinds by their look.

    Called with a text it gives the text without them. What it costs grows with the text's length alone, whoever wrote
    it. It is there against accidents: who wants to can write a secret in ways that nobody can foresee.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = frozenset(secrets)
        forms = {form for secret in self._secrets for form in forms_of(secret)}
        self._forms = sorted(forms, key=lambda form: (-len(form), form))  # the longer ones hold the shorter ones

    def __call__(self, text: str) -> str:
        text = self._without_secrets(text)
        return patterns.hidden(key_blocks.hidden(text))

    def lines(self) -> Callable[[str], str]:
        """Give what redacts lines that come one after another, a private key over several of them too."""
        blocks = KeyBlocks()
        return lambda line: patterns.hidden(blocks.line(self._without_secrets(line)))

    def knowing(self, secrets: Iterable[str]) -> Redactor:
        """Give a redactor that knows these too."""
        known = self._secrets.union(secrets)
        return self if known == self._secrets else Redactor(known)

    def _without_secrets(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        return text


BY_LOOK = Redactor()
"""Knows no secret by its value."""
