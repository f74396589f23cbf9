"""The errors the Image Builder emulator answers with, by AWS's names."""

from __future__ import annotations


class Refusal(Exception):
    """A request is not fulfilled; `code` is the service's own error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> Refusal:
    """A parameter's value is not acceptable."""
    return Refusal("InvalidParameterValueException", message)


def missing(arn: str) -> Refusal:
    """Nothing has that ARN."""
    return Refusal("ResourceNotFoundException", f"The resource with ARN '{arn}' does not exist.")
