"""EC2 in memory: the verbs of the host pool without a cloud."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from contracts.errors import CloudError
from contracts.instance import Instance, LaunchAnswer, LaunchRequest, Pool, Refusal


class MemoryInstances:
    """Instances that run as soon as they are launched, each with its own address of 127.0.0.0/8.

    `refusals` says for which pools there is no machine, by EC2's code; `capacity` how many may be up, beyond which the
    quota's code is the answer; `notices` which spot instances are marked, by EC2's word.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._by_id: dict[str, Instance] = {}
        self._by_token: dict[str, tuple[LaunchRequest, LaunchAnswer]] = {}
        self.requests: list[LaunchRequest] = []
        self.terminations: list[tuple[str, ...]] = []
        self.looks = 0
        self.refusals: dict[Pool, str] = {}
        self.capacity: int | None = None
        self.notices: dict[str, str] = {}

    def launch(self, request: LaunchRequest, *, again: bool = False) -> LaunchAnswer:  # noqa: ARG002 - no matter here
        """Start instances in the first pool that has machines; the same client token gives the same ones."""
        with self._lock:
            self.requests.append(request)
            known = self._by_token.get(request.client_token)
            if known is None:
                known = request, self._launched(request)
                self._by_token[request.client_token] = known
            asked, answer = known
            if asked != request:
                raise CloudError("the token was used with other parameters", code="IdempotentParameterMismatch")
            return answer

    def put(self, instance: Instance) -> None:
        """Have an instance as it is, in place of the one with its id: somebody else launched or tagged it."""
        with self._lock:
            self._by_id[instance.instance_id] = instance

    def instances(self, tags: Mapping[str, str]) -> list[Instance]:
        """Every instance that carries all of `tags`, ended ones included."""
        with self._lock:
            self.looks += 1
            return [found for found in self._by_id.values() if tags.items() <= found.tags.items()]

    def instance(self, instance_id: str) -> Instance | None:
        """One instance, or None where there is none of that id."""
        with self._lock:
            return self._by_id.get(instance_id)

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """End instances; unknown ones are passed over."""
        with self._lock:
            self.terminations.append(tuple(instance_ids))
            for instance_id in instance_ids:
                found = self._by_id.get(instance_id)
                if found is not None:
                    self._by_id[instance_id] = dataclasses.replace(found, state="terminated")

    def reclaimed(self, instance_ids: Collection[str]) -> dict[str, str]:
        """Those of the instances that are marked to be taken back."""
        with self._lock:
            return {one: self.notices[one] for one in instance_ids if one in self.notices}

    def _launched(self, request: LaunchRequest) -> LaunchAnswer:
        asked = request.pools if request.launch_template_id else request.pools[:1]
        refusals = tuple(Refusal(pool, self.refusals[pool], "no machine") for pool in asked if pool in self.refusals)
        pool = next((one for one in asked if one not in self.refusals), None)
        if pool is None:
            return LaunchAnswer((), refusals)
        count = request.count
        if self.capacity is not None:
            up = sum(not found.has_ended for found in self._by_id.values())
            count = max(0, min(count, self.capacity - up))
            if count < request.count:
                refusals = (*refusals, Refusal(pool, "VcpuLimitExceeded", "over the quota"))
        return LaunchAnswer(tuple(self._started(request, pool) for _ in range(count)), refusals)

    def _started(self, request: LaunchRequest, pool: Pool) -> str:
        number = len(self._by_id) + 1
        instance = Instance(
            instance_id=f"i-{number:017x}",
            state="running",
            address=f"127.77.{number // 250}.{number % 250 + 1}",
            image_id=request.image_id,
            instance_type=pool.instance_type,
            launched_at=self._now(),
            tags=dict(request.tags),
            private_address=f"10.77.{number // 250}.{number % 250 + 1}",
        )
        self._by_id[instance.instance_id] = instance
        return instance.instance_id
