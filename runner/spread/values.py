"""Make the values of a share's job from those of its run, or the other way."""

from __future__ import annotations

from dataclasses import replace

from contracts.work import Claimed, Finished, Provisioned, Spread


def shared(claimed: Claimed, folds: tuple[int, ...]) -> Claimed:
    """The claim of a job that trains these folds alone."""
    return replace(claimed, work=replace(claimed.work, share=folds, salvaged=()))


def on_host(provisioned: Provisioned, folds: tuple[int, ...]) -> Provisioned:
    """The host, for a job that trains these folds alone."""
    return replace(provisioned, claimed=shared(provisioned.claimed, folds))


def shares_of(spread: Spread) -> tuple[Provisioned, ...]:
    """Every job that has not ended, that of the run's own host first."""
    own = (on_host(spread.provisioned, spread.own),) if spread.own else ()
    return (*own, *spread.helpers)


def without(spread: Spread, share: tuple[int, ...]) -> Spread:
    """The run when one more of its jobs has ended."""
    helpers = tuple(one for one in spread.helpers if one.claimed.work.share != share)
    return replace(spread, own=() if spread.own == share else spread.own, helpers=helpers)


def as_whole(finished: Finished, provisioned: Provisioned) -> Finished:
    """Let the end of one job be that of its run: the host to be given back is the run's own."""
    launched = finished.launched
    return replace(finished, launched=replace(launched, pushed=replace(launched.pushed, provisioned=provisioned)))
