"""A result that comes after its submission was run again is kept, and changes nothing."""

from __future__ import annotations

import shutil

from localcloud.injections import Partition
from runner.carrying.patience import Patience
from runner.judging.retry import Budget
from tests.faults.conftest import Rehearse
from tests.faults.troubles import Trouble


def test_a_host_silent_for_longer_than_the_limit_is_ended_and_its_result_that_comes_after_the_next_ones_is_superseded(
    rehearse_on_cloud: Rehearse,
) -> None:
    event = rehearse_on_cloud(n_workers=1)
    assert event.hosts is not None
    event.submit("one")
    first = event.dispatcher(Trouble.LATE_TO_RECORD, lease_s=2.0, lease_renewal_s=600.0)
    event.until("its result is kept back", lambda: "a result is kept back" in first.said)
    (silent,) = event.hosts.live()
    # what the first has pulled lies on its own machine, and the other cannot ask the host for it
    shutil.rmtree(event.event.ramp.logs_dir)
    cut = event.hosts.cloud.local.inject(Partition(silent))
    impatient = Patience(silence_s=0.0, budget=Budget(first_wait_s=0.2))
    event.dispatcher(patience=impatient).await_end()
    assert event.attempts() == [(1, "requeued", "host-lost"), (2, "scored", None)]
    scores = event.rows(_SCORES)
    assert silent not in event.hosts.live()
    event.hosts.cloud.local.undo(cut)
    (event.event.ramp.predictions_dir.parent / "late").touch()
    first.await_end()
    assert event.runs() == [(1, "superseded"), (2, "scored")]
    assert event.rows(_SCORES) == scores


_SCORES = "SELECT * FROM submission_score_on_cv_folds"
