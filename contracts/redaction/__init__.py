"""Take secrets out of texts that people read."""

from contracts.redaction.redactor import BY_LOOK, HIDDEN, Redactor

__all__ = ["BY_LOOK", "HIDDEN", "Redactor"]
