"""The base of every section of the event file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of the event file: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
