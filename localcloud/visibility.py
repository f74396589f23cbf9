"""Let the API forget instances for a while, or only say that it ends them."""

from __future__ import annotations

import copy
from typing import Any

from moto.core.utils import utcnow
from moto.ec2.exceptions import InvalidInstanceIdError
from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState, Reservation

from localcloud.injections import HollowTermination, Injections, Unseen
from localcloud.moto_patches import Original, Patches


class Visibility:
    """What the calls of instances' owners see; what the cloud itself does is not concerned."""

    def __init__(self, injections: Injections) -> None:
        self._injections = injections

    def install(self, patches: Patches) -> None:
        patches.wrap(InstanceBackend, "describe_instances", self._describe)
        patches.wrap(InstanceBackend, "describe_instance_status", self._describe_status)
        patches.wrap(InstanceBackend, "get_reservations_by_instance_ids", self._by_ids)
        patches.wrap(InstanceBackend, "get_multi_instances_by_id", self._by_ids)
        patches.wrap(InstanceBackend, "terminate_instances", self._terminate)

    def _describe(self, original: Original, backend: InstanceBackend, filters: Any = None) -> list[Reservation]:
        reservations: list[Reservation] = original(backend, filters=filters)
        for reservation in reservations:  # copies, made for this call
            reservation.instances = [instance for instance in reservation.instances if not self._hides(instance)]
        return [reservation for reservation in reservations if reservation.instances]

    def _describe_status(self, original: Original, *asked: Any, **named: Any) -> list[Instance]:
        return [instance for instance in original(*asked, **named) if not self._hides(instance)]

    def _by_ids(
        self, original: Original, backend: InstanceBackend, instance_ids: list[str], filters: Any = None
    ) -> Any:
        """One id that is not known refuses the whole call, as on EC2: a batch with it ends none."""
        hidden = [
            instance.id for instance in backend.all_instances() if instance.id in instance_ids and self._hides(instance)
        ]
        if hidden:
            raise InvalidInstanceIdError(hidden)
        return original(backend, instance_ids, filters=filters)

    def _hides(self, instance: Instance) -> bool:
        age_s = (utcnow() - instance.launch_time).total_seconds()
        return any(fault.hides(instance.id, age_s) for fault in self._injections.of(Unseen))

    def _terminate(
        self, original: Original, backend: InstanceBackend, instance_ids: list[str]
    ) -> list[tuple[Instance, InstanceState]]:
        asked = backend.get_multi_instances_by_id(instance_ids)
        if asked and self._injections.strike(HollowTermination, lambda fault: fault.instance_id is None):
            spared = asked
        else:
            spared = [instance for instance in asked if self._spares(instance)]
        answers = [(instance, copy.copy(instance._state)) for instance in spared]
        rest = [name for name in instance_ids if name not in {instance.id for instance in spared}]
        return answers + original(backend, rest) if rest or not spared else answers

    def _spares(self, instance: Instance) -> bool:
        return self._injections.strike(HollowTermination, lambda fault: fault.instance_id == instance.id) is not None
