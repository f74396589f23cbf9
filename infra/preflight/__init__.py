"""Ask AWS, before anything is declared, for whatever of an event only AWS can tell. Pure: `Survey` is what asks."""

from infra.preflight.look import preflight
from infra.preflight.survey import Survey

__all__ = ["Survey", "preflight"]
