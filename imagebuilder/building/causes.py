"""Tell from the words of a failed step what is probably wrong, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """What is probably wrong, and the remedy."""

    name: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name}: {self.remedy}"


_CAUSES: tuple[tuple[str, Cause], ...] = (
    (
        r"No space left on device|Disk quota exceeded|\bENOSPC\b",
        Cause("the builder's disk is full", "raise infra.image.volume_gib"),
    ),
    (
        r"instance i-\w+ is (?:shutting-down|terminated|stopping|stopped)|instance is not there any more",
        Cause("the instance was lost", "build again"),
    ),
    (
        r"verifying the Systems Manager Agent availability",
        Cause("the builder has no way to Systems Manager", "its subnet needs a route to the internet"),
    ),
    (
        r"the secret has no value, or the build may not read it|can't find the specified secret"
        r"|(?:ResourceNotFound|AccessDenied)Exception\) when calling the GetSecretValue",
        Cause("a secret is missing", "declare it in infra.secrets, give it its value, then: invoke up"),
    ),
    (
        r"does not appear to be a git repository|[Rr]epository '?\S* ?not found|Repository not found"
        r"|could not read (?:Username|Password)|repository '.*' does not exist",
        Cause("the kit's repository cannot be read", "set infra.image.kit.git to one that needs no password"),
    ),
    (
        r"couldn't find remote ref|[Rr]emote branch .* not found|pathspec '.*' did not match"
        r"|not our ref|unable to read tree|reference is not a tree",
        Cause("the kit's repository has no such commit, tag or branch", "set infra.image.kit.ref to one it has"),
    ),
    (
        r"Could not find a version that satisfies|No matching distribution found|ResolutionImpossible"
        r"|because only .* is available and|requirements are unsatisfiable|No solution found when resolving"
        r"|ResolvePackageNotFound|LibMambaUnsatisfiableError|PackagesNotFoundError|nothing provides .* needed",
        Cause("the environment does not resolve", "look at the packages that the kit's files ask for"),
    ),
    (
        r"Temporary failure in name resolution|Could not resolve host|Network is unreachable",
        Cause("the builder reaches no network", "its subnet needs a route to the internet"),
    ),
    (
        r"Unable to locate package|has no installation candidate",
        Cause("the system has no such package", "look at infra.image.packages"),
    ),
    (
        r"\bExitCode 137\b|Out of memory|Cannot allocate memory|MemoryError",
        Cause("the builder has too little memory", "set a larger infra.image.instance_type"),
    ),
    (
        r"timed out after [\d.]+ seconds",
        Cause("the step did not end in its time", "see in its lines what it waits for"),
    ),
)


def cause_of(lines: Iterable[str]) -> Cause | None:
    """Give the most probable cause of a failure that left these lines; None where none is known."""
    text = "\n".join(lines)
    return next((cause for pattern, cause in _CAUSES if re.search(pattern, text)), None)
