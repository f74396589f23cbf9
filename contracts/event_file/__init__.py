"""Read event files: RAMP's format with our section `infra`, checked as a whole."""

from contracts.event_file.load import STATE_DIR_VARIABLE, load_database, load_event
from contracts.event_file.template import render_event

__all__ = ["STATE_DIR_VARIABLE", "load_database", "load_event", "render_event"]
