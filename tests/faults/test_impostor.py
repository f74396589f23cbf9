"""A host that cannot prove who it is gets nothing from us."""

from __future__ import annotations

from tests.faults.conftest import Rehearse
from tests.faults.troubles import Trouble


def test_a_host_with_another_key_than_its_own_is_refused_before_anything_is_sent_and_ended(
    rehearse_on_cloud: Rehearse,
) -> None:
    event = rehearse_on_cloud(n_workers=1)
    event.submit("one")
    said = event.dispatcher(Trouble.IMPOSTOR).await_end()
    assert "host key refused" in said
    assert event.hosts is not None
    impostor = event.hosts.every()[0]
    assert impostor["State"]["Name"] == "terminated"
    stages = event.rows(
        "SELECT to_stage FROM rampart_transitions JOIN rampart_runs ON rampart_runs.id = run_id WHERE attempt = 1"
    )
    assert ("provision",) in stages
    assert ("push",) not in stages
    assert event.attempts() == [(1, "requeued", "host-key-refused"), (2, "scored", None)]
    assert len(event.hosts.every()) == 2
