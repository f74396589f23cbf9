"""An organiser looks after the queue by the commands alone."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.acceptance.conftest import Answer, Deployment

EVENT = """
ramp: {{problem_name: iris, event_name: {name}, kit_dir: examples/iris, data_dir: examples/iris}}
worker: {{worker_type: conda, env: venv, venv_dir: {prefix}, timeout: 60}}
dispatcher: {{n_workers: 1, n_threads: 1}}
"""
NAMED = ("--event", "iris", "--team", "blue", "--submission", "raises")


@pytest.fixture(scope="module")
def house(new_deployment: Callable[[str], Deployment]) -> Deployment:
    """Two events, each with one submission."""
    made = new_deployment("operations")
    for name in ("iris", "second"):
        made.write_event(EVENT.format(name=name, prefix=sys.prefix), name=name)
        path = "examples/iris/submissions/raises"
        fine(made.invoke("submit", "--event", name, "--team", "blue", "--submission", "raises", "--path", path))
    return made


def fine(answer: Answer) -> Answer:
    assert answer.exit_code == 0, answer
    return answer


def test_a_submission_is_cancelled_and_taken_back_while_it_waits(house: Deployment) -> None:
    assert "waits for a dispatcher to take it" in fine(house.invoke("status", "--event", "iris")).out
    assert "is cancelled: it had not begun" in fine(house.invoke("cancel", *NAMED)).out
    (row,) = json.loads(house.invoke("status", "--event", "iris", "--json").out)
    assert (row["state"], row["reason"]) == ("checking_error", "cancelled by the organiser")
    assert (
        "blue/raises waits in the queue of iris again" in fine(house.invoke("retry", "--event", "iris", "--failed")).out
    )
    again = house.invoke("retry", *NAMED)
    assert (again.exit_code, "blue/raises waits already" in again.err) == (2, True)
    assert "was not paused" in fine(house.invoke("resume", "--event", "iris")).out


def test_without_an_event_every_open_one_is_served_and_told_as_json(house: Deployment) -> None:
    served = fine(house.invoke("train-loop", "--hunger-policy", "exit", "--log-json", "--metrics-port", "0"))
    lines = [json.loads(line) for line in served.err.splitlines()]
    failed = {line["event"]: line["cause"] for line in lines if line["action"] == "failed"}
    assert failed == {"iris": "raised", "second": "raised"}
    told = [line["message"] for line in lines if line["action"] == "told"]
    assert {"iris: 0 scored, 1 failed", "second: 0 scored, 1 failed"} <= set(told)
    followed = fine(house.invoke("logs", *NAMED, "--follow"))
    assert "Traceback" in followed.out
    assert "blue/raises is training_error" in followed.err


def test_what_was_submitted_in_time_is_run_after_the_close_and_the_loop_is_done_then(house: Deployment) -> None:
    fine(house.invoke("retry", *NAMED))
    for name in ("iris", "second"):
        with closing(sqlite3.connect(house.folder / ".rampart" / f"{name}.db")) as database, database:
            database.execute("UPDATE events SET closing_timestamp = '2026-01-01 00:00:00.000000'")
    served = fine(house.invoke("train-loop", "--hunger-policy", "sleep"))
    assert "iris: 0 scored, 1 failed" in served.err
    assert "second is not served: it is closed and nothing is left in its queue" in served.err


def test_a_doctor_tells_all_that_is_wrong_and_fails_by_it(house: Deployment) -> None:
    assert "0 errors" in fine(house.invoke("doctor", "--event", "iris")).err
    house.write_event(EVENT.format(name="ill", prefix=house.folder / "nowhere"), name="ill")
    answer = house.invoke("doctor", "--event", "ill", "--json")
    (house.folder / "events" / "ill" / "config.yml").unlink()
    assert answer.exit_code == 1, answer
    wrong = [found["about"] for found in json.loads(answer.out) if found["level"] == "error"]
    assert wrong == ["environment"]
