"""Say in our words why the pulumi program failed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pulumi import automation

from contracts.errors import AskedWrongly, RampartError
from tasks.engine_events import Problem

_LOGIN = (
    "pulumi login --local keeps what it remembers on this machine, pulumi login s3://BUCKET in a bucket, pulumi login "
    "at Pulumi's own service"
)
_NOT_LOGGED_IN = re.compile(r"PULUMI_ACCESS_TOKEN must be set|invalid access token|not logged in|\b401\b")
_UNLOCK = "export PULUMI_CONFIG_PASSPHRASE, or PULUMI_CONFIG_PASSPHRASE_FILE with the path of a file that holds it"
_ERROR = re.compile(r"^error: *", re.MULTILINE)


class DeploymentFailed(RampartError):
    """Pulumi ended with an error; the message holds what each resource told."""


def explained(error: automation.CommandError, stack: str, doing: str, problems: Sequence[Problem]) -> RampartError:
    """Turn a failed command into an error of ours. `doing` is its name, `problems` what the engine told meanwhile."""
    said = str(error).partition("\n stderr: ")[2].strip()
    if isinstance(error, automation.ConcurrentUpdateError):
        hint = f"wait for its end; where it was broken off: pulumi cancel --stack {stack}"
        return RampartError(f"another update of the stack {stack} is in progress", hint=hint)
    if not problems and _NOT_LOGGED_IN.search(said):
        return AskedWrongly("pulumi is not logged in", hint=_LOGIN)
    if "incorrect passphrase" in said:
        return AskedWrongly(f"the passphrase of the stack {stack} is another one", hint=_UNLOCK)
    if "PULUMI_CONFIG_PASSPHRASE" in said:
        return AskedWrongly(f"the passphrase of the stack {stack} is not given", hint=_UNLOCK)
    lines = [str(problem) for problem in problems] or [_last_error(said) or "it says nothing of why"]
    message = "\n".join([f"pulumi {doing} failed for the stack {stack}:", *(f"  {line}" for line in lines)])
    hint = f"mend it, then again: invoke {doing} --event {stack}"
    return DeploymentFailed(message, hint=hint)


def _last_error(said: str) -> str:
    """Give what follows the last `error:`, without what the CLI adds in further lines; else the last line."""
    *_, last = _ERROR.split(said)
    return last.strip().split("\n")[0 if _ERROR.search(said) else -1]
