"""Fill `${NAME}` in a text from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}?")
_NAMED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


class Unfilled(ValueError):
    """A reference cannot be filled; `remedy` says what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def fill(text: str, environ: Mapping[str, str]) -> str:
    """Replace `${NAME}` and `${NAME:-default}` (the default is also taken for an empty variable) and `$${` by `${`.

    What is filled in is not looked at again. Raises Unfilled for a variable that is not set.
    """

    def value_of(reference: re.Match[str]) -> str:
        if reference[0] == "$${":
            return "${"
        named = _NAMED.fullmatch(reference[1])
        if named is None or not reference[0].endswith("}"):
            raise Unfilled(
                "holds a ${ that names no variable", "write ${NAME} or ${NAME:-default}; $${ means a plain ${"
            )
        name, default = named.groups()
        value = environ.get(name)
        if default is not None:
            return value or default
        if value is None:
            raise Unfilled(
                f"the environment variable {name} is not set",
                f"set it (export {name}=...), or write a default: ${{{name}:-...}}",
            )
        return value

    return _REFERENCE.sub(value_of, text)
