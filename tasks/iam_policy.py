"""The command that writes the IAM policies a person needs: iam-policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.command import EVENT_HELP, command


@command(
    help=EVENT_HELP
    | {"part": "one document alone, ready for aws iam create-policy: deploy, build or run (deploy-1 where numbered)"}
)
def iam_policy(event: str | None = None, config: str | None = None, part: str | None = None) -> None:
    """Print what IAM must grant to whoever deploys the event, builds its images or runs its submissions. Asks no AWS.

    Example: invoke iam-policy --event iris --part run > run.json
    """
    from infra.permissions import policies_for
    from tasks import console
    from tasks.events import open_event

    opened = open_event(event, config=config, may_lack_environment=True)
    policies = policies_for(opened)
    console.data(_chosen(policies, part) if part else policies)
    one = part or next(iter(policies))
    again = f"invoke iam-policy --event {opened.name} --part {one} > {one}.json"
    create = f"aws iam create-policy --policy-name rampart-{opened.name}-{one} --policy-document file://{one}.json"
    console.next_step(f"{again}; {create}")


def _chosen(policies: Mapping[str, dict[str, Any]], part: str) -> dict[str, Any]:
    from contracts.errors import AskedWrongly

    if part in policies:
        return policies[part]
    numbered = [name for name in policies if name.startswith(f"{part}-")]
    if numbered:
        message = f"{part} is longer than IAM takes as one policy"
        raise AskedWrongly(message, hint=" and ".join(f"--part {name}" for name in numbered))
    raise AskedWrongly(f"no part {part!r}", hint=f"--part with one of: {', '.join(policies)}")
