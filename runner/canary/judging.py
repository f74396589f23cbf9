"""Judge how each attempt ended, by what it says, and by what was seen from outside."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from contracts.work import Containment, JobEnd
from runner.canary.attempts import ATTEMPTS, BOMBS, Attempt, Proof
from runner.canary.hostile.trying import MADE

_WORDS = "got|stopped|impossible|unclear|begins|done"
_SHOWN = 160
_CONTROLS = re.compile(r"[^\n\t\x20-\x7e\xa0-\u1fff\u2010-\u2027\u2030-\u205f\u2070-\ufefe\uff00-\ufffd]")


class Outcome(StrEnum):
    """How an attempt ended."""

    STOPPED = "stopped"
    NOT_STOPPED = "NOT stopped"
    NOT_POSSIBLE = "not possible here"


@dataclass(frozen=True, slots=True)
class Result:
    """One attempt's outcome, and by what."""

    attempt: Attempt
    outcome: Outcome
    by: str


@dataclass(frozen=True, slots=True)
class Said:
    """A line of the hostile program's."""

    word: str
    text: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What a canary left to be judged. Texts come from the jobs and are anybody's word.

    `ended` says how the first job did. `said`, `looked`, `found` are lines of that job, of the look around before it,
    of the job after it. `bait` is the places whose bait came back, `touched` those whose bait was reached or changed,
    `laid` those that have any. `left` are attempts whose processes ran on, `setuid` the programs with such bits.
    `pulled` says of each output why it was refused or what it came to; `accepted` those that should not have come.
    `ends` are those of the bombs.
    """

    containment: Containment
    ended: str = ""
    said: Mapping[str, Sequence[Said]] = field(default_factory=dict)
    looked: Mapping[str, Sequence[Said]] = field(default_factory=dict)
    found: Mapping[str, Sequence[Said]] = field(default_factory=dict)
    bait: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()
    laid: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()
    setuid: tuple[str, ...] = ()
    pulled: Mapping[str, str] = field(default_factory=dict)
    accepted: Mapping[str, str] = field(default_factory=dict)
    ends: Mapping[str, JobEnd] = field(default_factory=dict)
    log: str = ""
    log_bytes: int = 0
    log_limit_bytes: int = 0
    own_scores: str = ""
    blamed_others: str = ""
    record_forged: bool = False


def said_in(text: str, token: str) -> dict[str, list[Said]]:
    """Read the lines that begin with the canary's token; whatever else a log holds is passed over."""
    pattern = re.compile(rf"^{re.escape(token)} ([a-z-]{{1,40}}) ({_WORDS})(?: ([\x20-\x7e]*))?$", re.MULTILINE)
    found: dict[str, list[Said]] = {}
    for name, word, words in pattern.findall(text):
        found.setdefault(name, []).append(Said(word, words[:_SHOWN]))
    return found


def judge(seen: Seen) -> tuple[Result, ...]:
    """Say of every attempt how it ended. What nobody can show to have been stopped was not."""
    return tuple(_result(attempt, seen) for attempt in ATTEMPTS)


def _result(attempt: Attempt, seen: Seen) -> Result:
    judges: dict[Proof, Callable[[Attempt, Seen], tuple[Outcome, str]]] = {
        Proof.ATTEMPT: _by_its_word,
        Proof.HOST: _by_the_host,
        Proof.HEIR: _by_the_heir,
        Proof.PULL: _by_the_pull,
        Proof.LOG: _by_the_log,
        Proof.SCORES: _by_the_verdict,
        Proof.END: _by_the_end,
    }
    outcome, by = judges[attempt.proof](attempt, seen)
    return Result(attempt, outcome, by)


def _by_its_word(attempt: Attempt, seen: Seen) -> tuple[Outcome, str]:
    """It never clears itself: bait that was reached or came back counts more than what it says."""
    name = attempt.name
    if name in seen.bait:
        return Outcome.NOT_STOPPED, "the bait came back in the job's output"
    if name in seen.touched:
        return Outcome.NOT_STOPPED, "the bait was reached"
    if name == "record" and seen.record_forged:
        return Outcome.NOT_STOPPED, "the forged record was believed"
    said = _worst(seen.said.get(name, ()))
    if said is None or said.word in ("unclear", "begins", "done"):
        return Outcome.NOT_STOPPED, _nobody_knows(said, seen)
    if said.word == "got":
        return Outcome.NOT_STOPPED, said.text
    if said.word == "impossible":
        return Outcome.NOT_POSSIBLE, said.text
    if name == "keys" and name not in seen.laid:
        return Outcome.NOT_POSSIBLE, "no home has a folder .ssh"
    outside = _worst(seen.looked.get(name, ()))
    if outside is not None and outside.word != "got":
        return Outcome.NOT_POSSIBLE, f"the login user cannot either: {outside.text}"
    return Outcome.STOPPED, said.text


def _by_the_host(attempt: Attempt, seen: Seen) -> tuple[Outcome, str]:
    made = _made(attempt, seen)
    if made is not None:
        return made
    if attempt.name == "setuid-made":
        if seen.setuid:
            return Outcome.NOT_STOPPED, f"the program is there still: {seen.setuid[0]}"
        return Outcome.STOPPED, "its bits were gone when the job had ended"
    if attempt.name in seen.left:
        return Outcome.NOT_STOPPED, "its process ran on when the job had ended"
    return Outcome.STOPPED, "killed: no process of it was left"


def _by_the_heir(attempt: Attempt, seen: Seen) -> tuple[Outcome, str]:
    found = _worst(seen.found.get(attempt.name, ()))
    if found is not None:
        return Outcome.NOT_STOPPED, f"the next job found {found.text}"
    if "heir" not in seen.found:
        return Outcome.NOT_STOPPED, "nobody knows: the next job did not look"
    if attempt.name == "left-processes":
        return Outcome.STOPPED, "the next job found none"
    return _made(attempt, seen) or (Outcome.STOPPED, "the next job found nothing of it")


def _by_the_pull(attempt: Attempt, seen: Seen) -> tuple[Outcome, str]:
    name = attempt.name
    if name in seen.bait:
        return Outcome.NOT_STOPPED, "the bait came back as its output"
    if name in seen.accepted:
        return Outcome.NOT_STOPPED, f"accepted: {seen.accepted[name]}"
    made = _made(attempt, seen)
    if made is not None:
        return made
    if name not in seen.pulled:
        return Outcome.NOT_STOPPED, "nobody knows: nothing was pulled"
    return Outcome.STOPPED, seen.pulled[name]


def _by_the_log(attempt: Attempt, seen: Seen) -> tuple[Outcome, str]:
    if not seen.log:
        return Outcome.NOT_STOPPED, "nobody knows: there is no log"
    if attempt.name == "log-flood":
        if seen.log_bytes > seen.log_limit_bytes:
            return Outcome.NOT_STOPPED, f"{seen.log_bytes / 2**20:.1f} MiB were kept"
        return Outcome.STOPPED, f"{seen.log_bytes / 2**20:.1f} MiB were kept"
    bad = sorted({f"U+{ord(letter):04X}" for letter in _CONTROLS.findall(seen.log)})
    if bad:
        return Outcome.NOT_STOPPED, f"the shown log holds {', '.join(bad[:8])}"
    return Outcome.STOPPED, "the shown log is plain text"


def _by_the_verdict(attempt: Attempt, seen: Seen) -> tuple[Outcome, str]:
    told = seen.own_scores if attempt.name == "fake-scores" else seen.blamed_others
    if told:
        return Outcome.NOT_STOPPED, told
    if attempt.name == "fake-scores":
        return Outcome.STOPPED, "its own scores are no part of the result"
    return Outcome.STOPPED, "the participant is blamed"


def _by_the_end(attempt: Attempt, seen: Seen) -> tuple[Outcome, str]:
    name = attempt.name
    end = seen.ends.get(name)
    if end is None:
        return Outcome.NOT_STOPPED, "nobody knows: the job did not run"
    if name in seen.accepted:
        return Outcome.NOT_STOPPED, seen.accepted[name]
    if end in BOMBS[name]:
        return Outcome.STOPPED, f"the job was ended: {end}"
    if name in seen.pulled:
        return Outcome.STOPPED, seen.pulled[name]
    return Outcome.NOT_STOPPED, f"no limit ended it: {end}"


def _made(attempt: Attempt, seen: Seen) -> tuple[Outcome, str] | None:
    """How an attempt ended that could not even make what others would have to fall for; None where it could."""
    said = _worst(seen.said.get(attempt.name, ()))
    if said is not None and said.word == "got" and said.text.startswith(MADE):
        return None
    if said is not None and said.word in ("stopped", "impossible"):
        return (Outcome.STOPPED if said.word == "stopped" else Outcome.NOT_POSSIBLE), said.text
    return Outcome.NOT_STOPPED, _nobody_knows(said, seen)


def _nobody_knows(said: Said | None, seen: Seen) -> str:
    return f"nobody knows: {said.text}" if said else f"nobody knows: it said nothing ({seen.ended})"


def _worst(said: Sequence[Said]) -> Said | None:
    """Of several lines for one attempt the one that is worst for us."""
    order = ("got", "unclear", "begins", "done", "stopped", "impossible")
    return min(said, key=lambda one: order.index(one.word), default=None)
