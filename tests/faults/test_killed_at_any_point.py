"""Wherever a dispatcher dies on the way to a recorded result, the next one needs no second host and no second run."""

from __future__ import annotations

import pytest

from tests.faults.conftest import Rehearse
from tests.faults.troubles import Trouble


@pytest.mark.parametrize(
    "point", [one for one in Trouble if one.name.startswith("KILLED_")], ids=lambda point: point.name.lower()
)
def test_a_dispatcher_killed_at_any_point_is_replaced_by_one_that_uses_the_same_host_and_records_once(
    rehearse_on_cloud: Rehearse, point: Trouble
) -> None:
    event = rehearse_on_cloud(n_workers=1)
    (one,) = event.submit("one")
    event.dispatcher(point).await_kill()
    event.dispatcher().await_end()
    assert event.hosts is not None
    assert len(event.hosts.every()) == 1
    assert event.runs() == [(1, "scored")]
    assert "training 1 on this host" in event.log_of(one)
    assert event.rows("SELECT count(*), count(DISTINCT client_token) FROM rampart_launches") == [(1, 1)]
