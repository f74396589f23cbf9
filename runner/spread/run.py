"""Carry one claimed submission to its end, with its folds side by side where there are hosts for that."""

from __future__ import annotations

from dataclasses import replace

from contracts.errors import KitChanged, LeaseLost, RunOver
from contracts.work import Adopted, Claimed, Finished, Launched, Provisioned, Pulled, Pushed, Spread, StageValue
from runner.carrying import salvaged
from runner.flow import Run, Surroundings
from runner.interruption import Interruption
from runner.ports import Transport
from runner.progress import Stage
from runner.scoring.bundle import Bundle
from runner.spread import records, values
from runner.spread.dividing import Dividing, divided
from runner.spread.shares import FoldsNotApart, Shares
from runner.stages import pull

_NOT_APART = "its kit says so, splits its data otherwise each time, or has one random generator for all folds"


class SpreadRun(Run):
    """A run whose folds may be trained by several jobs; a last one, on its own host, puts them together."""

    def __init__(
        self, start: Claimed | Adopted, around: Surroundings, interruption: Interruption, *, dividing: Dividing
    ) -> None:
        super().__init__(start, around, interruption)
        self._around = around
        self._dividing = dividing
        self._is_last_job = False

    def give_host_back(self) -> None:
        """As of any run, with what jobs still ran when its dispatcher went away."""
        if isinstance(self._start, Spread):
            self._shares(self._start, None).end()
        super().give_host_back()

    def _on_host(self, start: Provisioned | Spread | Pushed | Launched | Finished) -> Pulled:
        spread = start if isinstance(start, Spread) else None
        if isinstance(start, Provisioned) and isinstance(self._start, Claimed):
            spread = self._begun(start)
        if spread is None:
            return super()._on_host(start)
        failed = self._carried(spread)
        return failed or super()._on_host(self._put_together(spread))

    def _begun(self, provisioned: Provisioned) -> Spread | None:
        """Take further hosts; None where the run is to be one job. Nothing is launched yet."""
        claimed = provisioned.claimed
        missing = self._dividing.missing(claimed.work)
        helpers = self._dividing.helpers(claimed, missing, self._hosts)
        if not helpers:
            return None
        own, *others = divided(missing, 1 + len(helpers))
        sharing = tuple(values.on_host(helper, folds) for helper, folds in zip(helpers, others, strict=True))
        try:
            bundle = self._bundle()
            spread = Spread(provisioned, own, sharing, self._now(), labels=bundle.labels if bundle else "")
            self._recorder.persist(lambda: self._store.training_started(spread))
        except BaseException as error:
            if not isinstance(error, LeaseLost) or isinstance(error, RunOver):
                self._shares(Spread(provisioned, (), sharing, self._now()), None).end()
            raise
        return spread

    def _carried(self, spread: Spread) -> Pulled | None:
        """Let all jobs end; gives the failure of one. The further hosts are given back."""
        bundle = self._bundle()
        shares = self._shares(spread, bundle)
        try:
            self._check_labels(spread, bundle)
            with self._step(Stage.WAIT):
                broken = shares.carry(lambda left: self._note(Stage.WAIT, left))
            if broken is None:
                return None
            with self._step(Stage.PULL):
                host = broken.launched.pushed.provisioned
                pulled = self._reach.act(host, lambda transport: self._pulled(broken, transport))
            return replace(pulled, finished=values.as_whole(pulled.finished, spread.provisioned))
        except FoldsNotApart:
            self._dividing.tell(_NOT_APART)
            return None
        finally:
            shares.give_back()

    def _put_together(self, spread: Spread) -> Provisioned:
        """The run's own host, for a job that finds the folds finished; it trains those that were lost."""
        self._check_labels(spread, self._bundle())
        work = spread.provisioned.claimed.work
        assert work.salvage_dir is not None  # noqa: S101 - folds are shared where they can be kept
        kept = salvaged.folds_in(work.salvage_dir)
        spent_s = records.longest_s(records.of_run(work)) if len(kept) == work.folds else 0.0
        self._is_last_job = True
        whole = replace(spread.provisioned.claimed, work=replace(work, salvaged=kept, spent_s=spent_s))
        return replace(spread.provisioned, claimed=whole)

    def _pull(self, finished: Finished, transport: Transport) -> Pulled:
        """Pull the last job as if it were the only one; one that failed with its share is all there is to tell."""
        work = finished.launched.pushed.provisioned.claimed.work
        ended = () if work.share else records.of_run(work)
        if not ended:
            return super()._pull(finished, transport)
        whole = replace(finished, exit=records.summed(finished.exit, ended))
        return pull.pull(whole, transport, redact=self._redact, before=records.logs(ended))

    def _tell(self, stage: Stage, after: StageValue | None) -> None:
        """For those who watch, a run begins to train once."""
        if self._is_last_job and stage in (Stage.PUSH, Stage.LAUNCH, Stage.WAIT):
            self._note(stage, after)
        else:
            super()._tell(stage, after)

    def _check_labels(self, spread: Spread, bundle: Bundle | None) -> None:
        """Raise KitChanged where folds were trained on other data than there are now: they are good for nothing."""
        if spread.labels != (bundle.labels if bundle else ""):
            salvaged.forget(self._work)
            raise KitChanged("the kit's labels or folds were changed while the submission ran")

    def _bundle(self) -> Bundle | None:
        return self._scorer.bundle() if self._scorer is not None else None

    def _shares(self, spread: Spread, bundle: Bundle | None) -> Shares:
        return Shares(
            spread,
            self._around,
            self._interruption,
            self._leaving,
            bundle=bundle,
            again=self._adopted is not None,
        )
