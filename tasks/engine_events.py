"""Turn what Pulumi's engine reports into lines for a person and a list of changes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from pulumi.automation import EngineEvent, OpType
from pulumi.automation.events import DiagnosticEvent, StepEventMetadata

from tasks.planned import Planned

_COLOURS = re.compile(r"<\{%[^%]*%\}>")
_LABEL = re.compile(r"^(error|warning): *")
_NO_NEWS = re.compile(r"^(update|preview|destroy|refresh) failed$")


class _Words(NamedTuple):
    """How a step is told as it begins and as it ends, and what it makes of its resource as a whole."""

    begun: str
    ended: str
    action: str


_WORDS = {
    OpType.SAME: _Words("", "", "unchanged"),
    OpType.CREATE: _Words("creating", "created", "created"),
    OpType.UPDATE: _Words("updating", "updated", "updated"),
    OpType.DELETE: _Words("deleting", "deleted", "deleted"),
    OpType.REPLACE: _Words("", "", "replaced"),
    OpType.CREATE_REPLACEMENT: _Words("replacing", "replaced", "replaced"),
    OpType.DELETE_REPLACED: _Words("deleting the replaced", "deleted the replaced", "replaced"),
    OpType.IMPORT: _Words("importing", "imported", "imported"),
}
_RETAINED = _Words("leaving", "retained", "retained")
_GONE = _Words("", "forgotten", "forgotten")


@dataclass(frozen=True, slots=True)
class Problem:
    """An error or warning of the engine or of a provider; `about` is a resource's name and type, or empty."""

    is_error: bool
    about: str
    text: str

    def __str__(self) -> str:
        return f"{self.about}: {self.text}" if self.about else self.text


class Listener:
    """Hears one operation's events, from whatever thread; tells `show` a line as each resource begins and ends.

    Only real resources count, not the components, providers and stack that group them.
    """

    def __init__(self, show: Callable[[str], None], *, is_preview: bool = False, is_refresh: bool = False) -> None:
        self._show = show
        self._is_preview = is_preview
        self._is_refresh = is_refresh
        self._heard: list[Problem] = []
        self._actions: dict[str, Planned] = {}
        self._began: dict[str, int] = {}

    @property
    def problems(self) -> list[Problem]:
        """Every error that says something, in the order they came."""
        errors = [each for each in self._heard if each.is_error]
        return [each for each in errors if not _NO_NEWS.match(each.text)] or errors

    @property
    def warnings(self) -> list[Problem]:
        """What went well and is to be known nevertheless."""
        return [each for each in self._heard if not each.is_error]

    @property
    def changes(self) -> list[Planned]:
        """What was, or in a preview would be, done to each resource that does not stay as it is."""
        return [each for each in self._actions.values() if each.action != "unchanged"]

    @property
    def summary(self) -> str:
        """How many resources became what, in one line."""
        counts = Counter(each.action for each in self._actions.values())
        unchanged = counts.pop("unchanged", 0)
        would = "would be " if self._is_preview and counts else ""
        told = [f"{count} {action}" for action, count in counts.items()]
        return would + ", ".join([*told, *([f"{unchanged} unchanged"] if unchanged else [])]) or "nothing to do"

    def hear(self, event: EngineEvent) -> None:
        """Take one event."""
        if event.diagnostic_event is not None:
            self._note(event.diagnostic_event)
        elif event.resource_pre_event is not None:
            self._begin(event.resource_pre_event.metadata, event.timestamp)
        elif event.res_outputs_event is not None:
            self._end(event.res_outputs_event.metadata, event.timestamp)
        elif event.res_op_failed_event is not None:
            self._show(f"failed    {_named(event.res_op_failed_event.metadata)}")

    def _note(self, said: DiagnosticEvent) -> None:
        text = _LABEL.sub("", _COLOURS.sub("", said.message).strip())
        if said.severity in ("error", "warning") and text and not said.ephemeral:
            about = "" if not said.urn or _is_grouping(said.urn) else _name_of(said.urn)
            self._heard.append(Problem(said.severity == "error", about, text))

    def _begin(self, step: StepEventMetadata, at: int) -> None:
        words = self._words(step)
        self._began[step.urn] = at
        if words is None:
            return
        if self._is_preview:
            if self._take_down(step, words.action) and words.action != "unchanged":
                self._show(f"would be {self._actions[step.urn]}")
        elif words.begun:
            self._show(f"{words.begun:<9} {_named(step)}")

    def _end(self, step: StepEventMetadata, at: int) -> None:
        words = self._words(step)
        if words is None or self._is_preview:
            return
        self._take_down(step, words.action)
        if words.ended:
            self._show(f"{words.ended:<9} {_named(step, f', {at - self._began.get(step.urn, at)} s')}")

    def _take_down(self, step: StepEventMetadata, action: str) -> bool:
        """Note what becomes of a resource; False where that was known from another of its steps."""
        known = self._actions.get(step.urn)
        if known is not None and "replaced" in (known.action, action) and known.action != "unchanged":
            action = "replaced"
        self._actions[step.urn] = Planned(action, _name_of(step.urn), step.type)
        return known is None or known.action != action

    def _words(self, step: StepEventMetadata) -> _Words | None:
        """None for what is no resource of the cloud's, or no change to one."""
        if not _is_real(step):
            return None
        if step.op is OpType.DELETE and self._is_refresh:
            return _GONE
        if step.op is OpType.DELETE and step.old is not None and step.old.retain_on_delete:
            return _RETAINED
        return _WORDS.get(step.op)


def _is_real(step: StepEventMetadata) -> bool:
    state = step.new or step.old
    return not _is_grouping(step.urn) and (state is None or state.custom is not False)


def _is_grouping(urn: str) -> bool:
    """Whether it is Pulumi's own stack or a provider."""
    *_, kinds, _name = urn.split("::")
    return kinds.split("$")[-1].startswith("pulumi:")


def _name_of(urn: str) -> str:
    return urn.rsplit("::", 1)[-1]


def _named(step: StepEventMetadata, more: str = "") -> str:
    return f"{_name_of(step.urn)} ({step.type}{more})"
