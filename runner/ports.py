"""What the stages and the dispatcher need from the outside, in the verbs they use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, runtime_checkable

from contracts.instance import Instance, Launch, LaunchAnswer, LaunchRequest
from contracts.remote import CommandResult
from contracts.work import Adopted, Cause, Claimed, Failed, Launched, Provisioned, Scored, Spread, StageValue, Work
from runner.interruption import Interruption
from runner.progress import Stage
from runner.scoring.bundle import Bundle


class Transport(Protocol):
    """One connection to one host. Every verb may raise HostUnreachable; `close` from another thread ends a wait."""

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float | None = 60.0) -> CommandResult:
        """Run a command to its end and give its exit code and output; None as timeout waits for ever.

        Raises CommandTimedOut; the command may then still be running there.
        """
        ...

    def send(self, argv: Sequence[str], chunks: Iterable[bytes], *, timeout_s: float = 600.0) -> CommandResult:
        """Run a command that reads `chunks` on its standard input."""
        ...

    def receive(self, argv: Sequence[str], *, timeout_s: float = 600.0) -> AbstractContextManager[Iterator[bytes]]:
        """Run a command and read its standard output chunk by chunk; leaving early ends the command.

        Raises CommandFailed when the command, read to its end, exits with another code than 0.
        """
        ...

    def close(self) -> None:
        """End the connection; what runs detached on the host goes on."""
        ...


class Hosts(Protocol):
    """Where runs get a machine from and give it back."""

    def acquire(self, claimed: Claimed, interruption: Interruption | None = None) -> Provisioned:
        """Give the run a host that answers; raises CloudError, BootTimeout, HostKeyRefused or ImageNotFound.

        HostKeyNotRotated says that the image does not let a host have a key of its own, and the event is strict.

        CapacityMissing says that there is none at the moment, HostGone that the one that was begun with has ended,
        Interrupted that the run's own `interruption` was asked meanwhile: no host is held then, unless runs are handed
        back.
        """
        ...

    def connect(self, provisioned: Provisioned) -> Transport:
        """Open a connection to the run's host; raises HostUnreachable."""
        ...

    def is_gone(self, provisioned: Provisioned) -> bool:
        """Whether the machine behind the run has ended for good, as far as its owner (EC2) knows now.

        Raises SpotReclaimed where it was a spot instance that EC2 took back.
        """
        ...

    def release(self, provisioned: Provisioned) -> None:
        """Give the host back: on EC2 it is terminated, and EC2 shows it. Doing it twice is fine. Raises CloudError."""
        ...


@runtime_checkable
class Limited(Protocol):
    """A host pool whose owner allows only so many hosts at a time."""

    def limit(self) -> int | None:
        """How many hosts may be up at the same time, as far as it was found out; None where no limit was met."""
        ...


@runtime_checkable
class Lasting(Protocol):
    """A host pool that keeps something open as long as it is used."""

    def close(self) -> None:
        """Close it; runs that go on on their hosts stay there."""
        ...


@runtime_checkable
class Spare(Protocol):
    """A host pool that may give one run several hosts; what it holds for a run is told apart by `job_name`."""

    def acquire_another(self, claimed: Claimed) -> Provisioned | None:
        """Give a run one more host if there is one at this very moment, for a share of its folds (`work.share`).

        It never waits, and gives a host that an earlier dispatcher took for the same share again. Such a host is
        connected to and released as any other.
        """
        ...


@runtime_checkable
class Warned(Protocol):
    """A host pool that is told before a host is taken away."""

    def on_notice(self, provisioned: Provisioned, call: Callable[[str], None]) -> Callable[[], None]:
        """Have `call` called, with a reason, when EC2 says it will take the run's host: two minutes are left then.

        It is called once, in a thread of the pool's; returns how to take that back.
        """
        ...


class Instances(Protocol):
    """The EC2 API as the host pool uses it. Every verb may raise CloudError."""

    def launch(self, request: LaunchRequest, *, again: bool = False) -> LaunchAnswer:
        """Start the instances asked for, or fewer; the same client token never starts a second lot.

        `again` where it may have been asked before, by somebody who did not live to hear the answer.
        """
        ...

    def instances(self, tags: Mapping[str, str]) -> list[Instance]:
        """Every instance that carries all of `tags`, ended ones included."""
        ...

    def instance(self, instance_id: str) -> Instance | None:
        """One instance, or None where EC2 does not know it."""
        ...

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """End instances; those EC2 does not know are passed over, and keep no other from being ended."""
        ...

    def reclaimed(self, instance_ids: Collection[str]) -> dict[str, str]:
        """Those spot instances EC2 has marked to be taken back, each with EC2's own word for it."""
        ...


class Launches(Protocol):
    """The record of what EC2 was asked for, so that nothing is launched twice or forgotten."""

    def kept(self, work: Work) -> Launch | None:
        """Give the run's last launch, unless EC2 gave it no instance. Raises LeaseLost or RunOver."""
        ...

    def intend(self, works: Sequence[Work], launch: Launch) -> None:
        """Keep a launch before it is asked for. Raises LeaseLost or RunOver where a run is not ours."""
        ...

    def answered(self, client_token: str, instance_ids: Mapping[int, str]) -> dict[int, str]:
        """EC2 has answered, with instances by submission: the launch's user data is forgotten.

        Gives what stands: the first answer counts, and runs that have ended meanwhile hold no instance.
        """
        ...

    def note_own_key(self, work: Work, instance_id: str, own_key: str) -> None:
        """Keep the key that the run's instance shows from now on. Raises LeaseLost or RunOver."""
        ...


class Scorer(Protocol):
    """What scores predictions where the labels are, for runs whose host has none."""

    def bundle(self) -> Bundle | None:
        """Give what a job needs to predict; None where the kit does not allow it. Raises KitInvalid."""
        ...

    def score(self, output_dir: Path, labels: str, times: Sequence[Sequence[float]]) -> str:
        """Write a run's scores beside its predictions, as ramp-test does; `times` are in seconds, by fold and step.

        Gives why the predictions cannot be scored, in one clause, empty where they are. Raises KitChanged where the
        kit's labels are no longer `labels`, KitInvalid where the kit itself fails.
        """
        ...


class Sweep(Protocol):
    """What keeps the account clean beside the runs."""

    def sweep(self) -> None:
        """Look once, and end what the last look and this one agree on; raises nothing."""
        ...


class Store(Protocol):
    """The queue and the record of results.

    A claimed run is leased: what is written about it counts only under its work's `lease_token`. Every verb that
    writes about a run raises LeaseLost where somebody else has adopted it, and RunOver where it has ended already.
    """

    def claim(self, event: str, limit: int) -> list[Claimed]:
        """Take the `limit` oldest new submissions of an event (state `sent_to_training`); no one else gets them.

        Those that are held are passed over, and all of a paused event.
        """
        ...

    def waits(self, event: str) -> bool:
        """Whether a submission is held until a time that will come, and the event is not paused."""
        ...

    def paused(self, event: str) -> str:
        """Why nothing of the event is claimed; empty where it is not paused."""
        ...

    def renew(self, lease_tokens: Collection[str]) -> None:
        """Let the leases that are still ours live on."""
        ...

    def unwanted(self, lease_tokens: Collection[str]) -> set[str]:
        """Give those of the leases whose runs the organiser wants ended; asked often, so it must cost little."""
        ...

    def hand_back(self, lease_tokens: Collection[str]) -> None:
        """Let the leases that are still ours end now: their runs go on and may be adopted."""
        ...

    def adopt(self, event: str, limit: int, held: Collection[str] = ()) -> list[Adopted]:
        """Take up to `limit` runs of an event whose leases ran out or whose owner is dead, under new ones.

        The `held` leases are those the caller is still at, whatever became of them.
        """
        ...

    def held_elsewhere(self, event: str, lease_tokens: Collection[str]) -> bool:
        """Whether a run of the event goes on, or waits to be adopted, under another lease than these."""
        ...

    def stage_started(self, work: Work, stage: Stage, host_id: str = "", *, after: StageValue | None = None) -> None:
        """A run entered a stage; `after` is the last stage's value, for adoption. Ended runs stay as they are."""
        ...

    def training_started(self, launched: Launched | Spread) -> None:
        """The job runs, or those that share its folds will: state `training`; `launched` is to be taken up from."""
        ...

    def record_scored(self, scored: Scored) -> None:
        """Write fold scores, times, bagged scores and the state `scored` in one transaction.

        The result of a run that was given back to the queue meanwhile is kept as `superseded`, and RunOver raised.
        """
        ...

    def record_failed(self, failed: Failed) -> None:
        """Write the failure's state and message in one transaction; a late one as `record_scored` does."""
        ...

    def losses(self, work: Work) -> Mapping[Cause, int]:
        """Count the earlier runs of the run's generation that were lost, by cause."""
        ...

    def requeue(
        self,
        claimed: Claimed,
        reason: str,
        cause: Cause | None = None,
        *,
        wait_s: float = 0.0,
        on_demand: bool = False,
    ) -> None:
        """Give an unfinished submission back to the queue: state `new`. `cause` where the run was lost.

        It is held for `wait_s` with the reason; its next run gets a host `on_demand`. One that the organiser wants
        ended ends as cancelled instead.
        """
        ...

    def released(self, work: Work) -> None:
        """The run has ended, and so has its hold of a host: nothing is left to adopt."""
        ...
