"""EC2 in memory: the verbs of the host pool without a cloud."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from contracts.instance import Instance, LaunchRequest


class MemoryInstances:
    """Instances that run as soon as they are launched, each with its own address of 127.0.0.0/8."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._by_id: dict[str, Instance] = {}
        self._by_token: dict[str, str] = {}
        self.requests: list[LaunchRequest] = []

    def launch(self, request: LaunchRequest) -> Instance:
        """Start one instance; the same client token gives the same one."""
        with self._lock:
            self.requests.append(request)
            known = self._by_token.get(request.client_token)
            if known is not None:
                return self._by_id[known]
            number = len(self._by_id) + 1
            instance = Instance(
                instance_id=f"i-{number:017x}",
                state="running",
                address=f"127.77.{number // 250}.{number % 250 + 1}",
                image_id=request.image_id,
                instance_type=request.instance_type,
                launched_at=self._now(),
                tags=dict(request.tags),
            )
            self._by_id[instance.instance_id] = instance
            self._by_token[request.client_token] = instance.instance_id
            return instance

    def put(self, instance: Instance) -> None:
        """Have an instance as it is, in place of the one with its id: somebody else launched or tagged it."""
        with self._lock:
            self._by_id[instance.instance_id] = instance

    def instances(self, tags: Mapping[str, str]) -> list[Instance]:
        """Every instance that carries all of `tags`, ended ones included."""
        with self._lock:
            return [found for found in self._by_id.values() if tags.items() <= found.tags.items()]

    def instance(self, instance_id: str) -> Instance | None:
        """One instance, or None where there is none of that id."""
        with self._lock:
            return self._by_id.get(instance_id)

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """End instances; unknown ones count as ended."""
        with self._lock:
            for instance_id in instance_ids:
                found = self._by_id.get(instance_id)
                if found is not None:
                    self._by_id[instance_id] = dataclasses.replace(found, state="terminated")
