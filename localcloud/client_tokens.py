"""Make launches idempotent by client token, as EC2 promises."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses.fleets import Fleets
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.responses.launch_templates import LaunchTemplates

from localcloud.moto_patches import Original, Patches


@dataclass(slots=True)
class _Launch:
    """One token's call; the lock is held while the call is under way, so that a second one waits for its result."""

    fingerprint: str
    lock: threading.Lock = field(default_factory=threading.Lock)
    result: ActionResult | None = None


class ClientTokens:
    """Remembers each token's first call: the same call again gives the same instances, another one is refused."""

    def __init__(self) -> None:
        self._launches: dict[tuple[str, str, str, str], _Launch] = {}
        self._lock = threading.Lock()

    def install(self, patches: Patches) -> None:
        patches.wrap(InstanceResponse, "run_instances", self._once)
        patches.wrap(Fleets, "create_fleet", self._once)
        patches.wrap(LaunchTemplates, "create_launch_template_version", self._once)

    def _once(self, original: Original, response: Any) -> ActionResult:
        token = response._get_param("ClientToken")
        if not token:
            result: ActionResult = original(response)
            return result
        action = response._get_action()
        fingerprint = _fingerprint(response.data)
        key = (response.current_account, response.region, action, token)
        with self._lock:
            launch = self._launches.setdefault(key, _Launch(fingerprint))
        if launch.fingerprint != fingerprint:
            raise EC2ClientError(
                "IdempotentParameterMismatch", f"The client token {token} was used with other parameters before"
            )
        with launch.lock:
            if launch.result is None:
                launch.result = original(response)
            return launch.result


def _fingerprint(data: Any) -> str:
    parameters = {str(name): value for name, value in dict(data).items() if name != "DryRun"}
    return hashlib.sha256(json.dumps(parameters, sort_keys=True, default=str).encode()).hexdigest()
