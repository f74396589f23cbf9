"""Launch hosts for all the runs that wait, in as few calls as can be."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.errors import CapacityMissing, CloudError, HostGone, LeaseLost, QuotaReached
from contracts.host_boot import HostKey
from contracts.instance import Launch, LaunchAnswer, LaunchRequest, Pool, Refusal, one_each
from contracts.work import Claimed
from runner.hosts.capacity import NEVER_CODES, POOL_CODES, QUOTA_CODES, Capacity, Limit
from runner.hosts.requests import launch_request
from runner.hosts.settings import LaunchSettings, Tempo
from runner.hosts.together import Together
from runner.ports import Instances, Launches

_log = logging.getLogger(__name__)
_MOST = 500
_UNANSWERED_TRIES = 3


@dataclass(frozen=True, slots=True)
class Placed:
    """A run that has an instance, which answers with the launch's `host_key`, or with the `own_key` noted for it.

    `age_s` is the time since its launch was intended.
    """

    instance_id: str
    host_key: str
    age_s: float = 0.0
    own_key: str = ""


@dataclass(frozen=True, slots=True)
class LaunchDoors:
    """What launching needs from the outside.

    `image` gives the id of the image that hosts launched now are made from. `expect` is given each instance as soon as
    a run holds it, and `hosts_up` counts it from then on; `surplus` is given those that no run holds.
    """

    instances: Instances
    launches: Launches
    image: Callable[[], str]
    new_host_key: Callable[[], HostKey]
    now: Callable[[], datetime]
    clock: Callable[[], float]
    hosts_up: Callable[[], int]
    expect: Callable[[str], None]
    surplus: Callable[[Sequence[str]], None]


class Launching:
    """The hosts of one event. The launch is written down before EC2 is asked, and asked again where it did not hear."""

    def __init__(self, settings: LaunchSettings, doors: LaunchDoors, tempo: Tempo) -> None:
        self._settings = settings
        self._doors = doors
        self.limit = Limit(tempo.limit_rest, doors.clock)
        markets = (True, False) if settings.spot else (False,)
        self._capacity = {spot: Capacity(settings.pools, tempo, doors.clock) for spot in markets}
        self._together = {spot: self._launcher(spot, tempo) for spot in markets}

    def place(self, claimed: Claimed) -> Placed:
        """Give the run an instance: the one an earlier dispatcher launched for it, else a new one.

        Raises CapacityMissing, CloudError; HostGone where the one launched before has ended; LeaseLost.
        """
        launch = self._doors.launches.kept(claimed.work)
        found = self._taken_up(claimed, launch) if launch is not None else None
        if found is not None:
            return found
        spot = self._settings.spot and not claimed.work.on_demand
        return self._together[spot].ask(claimed)

    def _launcher(self, spot: bool, tempo: Tempo) -> Together[Claimed, Placed]:
        def launch(runs: Sequence[Claimed]) -> list[Placed | Exception]:
            return self._launched(runs, spot)

        return Together(launch, gather_s=tempo.gather, most=_MOST)

    def _taken_up(self, claimed: Claimed, launch: Launch) -> Placed | None:
        """Go on with what was asked for this run; None where EC2 had no instance for it."""
        age_s = (self._doors.now() - launch.intended_at).total_seconds()
        if launch.instance_id:
            return Placed(launch.instance_id, launch.host_key, age_s, launch.own_key)
        try:
            answer = self._answer(launch.request, again=True)
        except CloudError as error:
            if error.code != "IdempotentInstanceTerminated":
                raise
            self._doors.launches.answered(launch.request.client_token, {})
            raise HostGone("the instance that was launched for this run has ended") from error
        instance_id = self._handed_out(launch, answer).get(claimed.work.submission_id)
        return Placed(instance_id, launch.host_key, age_s) if instance_id else None

    def _launched(self, runs: Sequence[Claimed], spot: bool) -> list[Placed | Exception]:
        """Launch round by round until every run has its instance or no pool is left to ask."""
        results: dict[int, Placed | Exception] = {}
        capacity, refusals = self._capacity[spot], list[Refusal]()
        left, error = list(runs), None
        for _ in range(len(self._settings.pools) + 1):
            pools = self._pools_to_ask(capacity, refusals) if left else ()
            if not pools:
                break
            try:
                placed, refused = self._round(left, pools, spot)
            except LeaseLost:
                placed, refused = self._lost(left), ()
            except Exception as raised:
                error = raised
                break
            results |= placed
            refusals += refused
            capacity.note(pools, refused, has_granted=bool(placed))
            left = [run for run in left if run.work.submission_id not in results]
        if left and error is None:
            error = self._missing(capacity, refusals)
        return [results.get(run.work.submission_id) or _known(error) for run in runs]

    def _pools_to_ask(self, capacity: Capacity, refusals: Sequence[Refusal]) -> tuple[Pool, ...]:
        """A launch template lets one call try them all; else it is one after the other."""
        refused = {one.pool for one in refusals}
        pools = tuple(pool for pool in capacity.choices() if pool not in refused)
        return pools if self._settings.launch_template_id else pools[:1]

    def _round(
        self, runs: Sequence[Claimed], pools: Sequence[Pool], spot: bool
    ) -> tuple[Mapping[int, Placed | Exception], Sequence[Refusal]]:
        """One call. Gives the runs that have an instance, by submission, and which pools had nothing."""
        doors = self._doors
        key = doors.new_host_key()
        request = launch_request(
            runs, self._settings, key, image_id=doors.image(), pools=pools, spot=spot, now=doors.now()
        )
        launch = Launch(request, key.public, tuple(one.work.submission_id for one in runs), doors.now())
        doors.launches.intend([one.work for one in runs], launch)
        answer = self._answer(request)
        placed = self._handed_out(launch, answer)
        for instance_id in placed.values():
            doors.expect(instance_id)
        return {name: Placed(found, key.public) for name, found in placed.items()}, answer.refusals

    def _answer(self, request: LaunchRequest, *, again: bool = False) -> LaunchAnswer:
        """Ask EC2; where no answer comes, ask the very same again. What no pool would change is raised."""
        try:
            answer = self._heard(request, again=again)
        except CloudError as error:
            if not error.is_uncertain:
                self._doors.launches.answered(request.client_token, {})
            raise
        wrong = [refusal for refusal in answer.refusals if refusal.code not in POOL_CODES]
        if wrong and not answer.instance_ids:
            self._doors.launches.answered(request.client_token, {})
            raise CloudError(f"could not launch: {wrong[0].message} [{wrong[0].code}]", code=wrong[0].code)
        return answer

    def _heard(self, request: LaunchRequest, *, again: bool) -> LaunchAnswer:
        for _ in range(_UNANSWERED_TRIES - 1):
            try:
                return self._doors.instances.launch(request, again=again)
            except CloudError as error:
                if not error.is_uncertain:
                    raise
                _log.warning("%s: asking again", error.message, extra={"action": "launch-again"})
                again = True
        return self._doors.instances.launch(request, again=again)

    def _handed_out(self, launch: Launch, answer: LaunchAnswer) -> dict[int, str]:
        """Write down which run has which instance; what none of them holds is ended."""
        wanted = one_each(launch.submission_ids, answer.instance_ids)
        held = self._doors.launches.answered(launch.request.client_token, wanted)
        surplus = sorted(set(answer.instance_ids) - set(held.values()))
        if surplus:
            self._doors.surplus(surplus)
        return held

    def _lost(self, runs: Sequence[Claimed]) -> dict[int, Placed | Exception]:
        """Those of the runs that are not ours any more."""
        lost: dict[int, Placed | Exception] = {}
        for run in runs:
            try:
                self._doors.launches.kept(run.work)
            except LeaseLost as error:
                lost[run.work.submission_id] = error
        return lost

    def _missing(self, capacity: Capacity, refusals: Sequence[Refusal]) -> CloudError:
        """Say why there is no host, and when to ask again."""
        if refusals:
            capacity.nothing_left()
        retry_after_s = capacity.retry_after_s()
        again = f"asked again in {retry_after_s:.0f} s"
        quota = next((one for one in refusals if one.code in QUOTA_CODES), None)
        if quota is not None:
            reached = self._doors.hosts_up()
            self.limit.met(reached)
            message = f"the account's quota is reached with {reached} hosts of ours up [{quota.code}]; {again}"
            return QuotaReached(message, reached=reached, retry_after_s=retry_after_s, code=quota.code)
        if refusals and all(one.code in NEVER_CODES for one in refusals):
            last = refusals[-1]
            hint = "not every zone has every machine: set another worker.instance_type, or infra.instance_types"
            return CloudError(f"could not launch: {last.message} [{last.code}]", code=last.code, hint=hint)
        code = refusals[-1].code if refusals else "InsufficientInstanceCapacity"
        where = ", ".join(sorted({one.pool.subnet_id for one in refusals} - {""}))
        what = " or ".join(self._settings.types)
        message = f"EC2 has no {what} free{f' in {where}' if where else ''} [{code}]; {again}"
        return CapacityMissing(message, retry_after_s=retry_after_s, code=code)


def _known(error: Exception | None) -> Exception:
    assert error is not None  # noqa: S101 - who has no instance has a reason
    return error
