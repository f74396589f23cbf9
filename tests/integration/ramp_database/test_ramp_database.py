"""A database that ramp-database made is served by our loop: RAMP's own functions see what ramp-engine would leave."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from runner.app import now
from runner.store import SqlStore, upgrade
from tests.contract.store_fixtures import (
    NEEDS_POSTGRESQL,
    new_postgresql_database,
    postgresql_programs,
    postgresql_server,
)
from tests.integration.ramp_database.ramp import EVENT, PYTHON, TEAM, RampDeployment, deployed

PROGRAMS = postgresql_programs()
pytestmark = [
    NEEDS_POSTGRESQL,
    pytest.mark.skipif(not PYTHON.exists(), reason=".venv-ramp, the environment of ramp-database, is not made"),
]


@dataclass(frozen=True)
class Served:
    """A deployment after its first batch: what RAMP saw while two submissions were claimed, and when all had ended."""

    ramp: RampDeployment
    schema_before: str
    claimed: dict[str, Any]
    ended: dict[str, Any]
    shown: dict[str, Any]

    def submission(self, name: str) -> dict[str, Any]:
        """What RAMP saw of a submission when all had ended."""
        found: dict[str, Any] = self.ended["submissions"][name]
        return found

    def predictions(self, name: str) -> Path:
        """Where `ramp-test` wrote a submission's results."""
        return self.ramp.event.ramp.predictions_dir / f"submission_{self.submission(name)['id']:09d}"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An event of three submissions, one of which raises, added by RAMP and run by us."""
    assert PROGRAMS is not None
    folder = tmp_path_factory.mktemp("ramp")
    with postgresql_server(PROGRAMS) as server:
        url = sqlalchemy.make_url(new_postgresql_database(server, "ramp"))
        with deployed(folder, url) as ramp:
            codes = {"first": "starting_kit", "second": "forest", "bad": "raises"}
            ramp.side.ask(
                "submit", event=EVENT, team=TEAM, names={name: ramp.code(code) for name, code in codes.items()}
            )
            schema = ramp.schema(PROGRAMS)
            claimed = seen_while_claimed(ramp)
            ramp.serve()
            yield Served(ramp, schema, claimed, ramp.seen(), ramp.side.ask("shown", event=EVENT))


def seen_while_claimed(ramp: RampDeployment) -> dict[str, Any]:
    """Claim two submissions and let RAMP look, then give them back."""
    store = SqlStore(ramp.event.database_url.get_secret_value(), ramp.event, now, owner="test")
    upgrade(store.database)
    claimed = store.claim(EVENT, 2)
    seen = ramp.seen()
    for one in claimed:
        store.requeue(one, "the test has seen enough")
        store.released(one.work)
    store.close()
    return seen


def test_ramps_tables_stay_as_ramp_made_them(served: Served) -> None:
    assert PROGRAMS is not None
    assert "CREATE TABLE public.submissions" in served.schema_before
    assert served.ramp.schema(PROGRAMS) == served.schema_before


def test_ramp_sees_claimed_submissions_as_sent_to_training_with_their_places_in_the_queue(served: Served) -> None:
    first, second, bad = (served.claimed["submissions"][name] for name in ("first", "second", "bad"))
    assert served.claimed["by_state"]["sent_to_training"] == [first["id"], second["id"]]
    assert [first["queue_position"], second["queue_position"], bad["queue_position"]] == [1, 2, -1]
    assert set(first["fold_states"]) == {"sent_to_training"}
    assert first["sent_to_training_at"] >= first["submitted_at"]


def test_ramp_lists_every_submission_by_the_state_it_ended_in_and_the_sandbox_as_new(served: Served) -> None:
    ids = {name: one["id"] for name, one in served.ended["submissions"].items()}
    assert served.ended["by_state"] == {
        "new": [ids["starting_kit"]],
        "scored": [ids["first"], ids["second"]],
        "training_error": [ids["bad"]],
    }


def test_ramp_reads_the_fold_scores_and_times_that_ramp_test_wrote(served: Served) -> None:
    for name in ("first", "second"):
        seen = served.submission(name)
        assert seen["fold_states"] == ["scored", "scored"]
        for fold in (0, 1):
            folder = served.predictions(name) / f"fold_{fold}"
            for row in csv.DictReader((folder / "scores.csv").read_text().splitlines()):
                step = row.pop("step")
                wanted = {score: float(row[score]) for score in ("acc", "error", "nll")}
                assert seen["scores"][f"fold_{fold}/{step}"] == pytest.approx(wanted)
            for step in ("train", "valid", "test"):
                assert seen["times"][step][fold] == float((folder / f"{step}_time").read_text())


def test_ramps_own_recording_of_the_same_files_changes_nothing_that_we_recorded(served: Served) -> None:
    seen = served.submission("second")
    assert seen["bagged"]
    again = served.ramp.side.ask("record", submission_id=seen["id"], predictions=str(served.predictions("second")))
    numbers = ("scores", "bagged", "times", "bag")
    for kind in numbers:  # RAMP reads files through pandas, whose numbers may be off by one in the last bit
        assert flat(again.pop(kind)) == pytest.approx(flat(seen[kind]), rel=1e-12)
    assert again == {name: value for name, value in seen.items() if name not in numbers}


def test_ramp_reads_memory_timestamps_and_no_error_of_a_scored_submission(served: Served) -> None:
    seen = served.submission("first")
    assert (seen["error_msg"], seen["queue_position"], seen["is_on_leaderboard"]) == ("", -1, True)
    assert 10 < seen["max_ram"] < 1024
    moments = [datetime.fromisoformat(seen[f"{step}_at"]) for step in ("submitted", "sent_to_training", "training")]
    assert moments == sorted(moments)


def test_ramp_shows_the_team_the_traceback_of_a_failed_submission(served: Served) -> None:
    seen = served.submission("bad")
    assert (seen["state"], seen["queue_position"], seen["is_on_leaderboard"]) == ("training_error", -1, False)
    assert set(seen["fold_states"]) == {"training_error"}
    assert seen["error_msg"].startswith("Traceback (most recent call last)")


def test_our_own_record_says_the_same_as_ramp(served: Served) -> None:
    board = served.ramp.ours.invoke("leaderboard", "--event", EVENT)
    assert board.exit_code == 0, board
    for name in ("first", "second"):
        score = served.submission(name)["bag"]["acc"][0]
        assert f"{score:.3f}" in next(line for line in board.out.splitlines() if name in line)


def test_the_leaderboards_of_ramps_frontend_show_what_was_run_when_the_hook_had_its_turn(served: Served) -> None:
    shown = served.shown
    for name in ("public_leaderboard_html_with_links", "private_leaderboard_html", f"{TEAM}/leaderboard_html"):
        assert "second" in shown[name], name
        assert "bad" not in shown[name], name
    assert "bad" in shown["failed_leaderboard_html"]
    assert "bad" in shown[f"{TEAM}/failed_leaderboard_html"]


def test_what_ramp_makes_new_again_runs_in_a_new_generation_whose_result_replaces_the_old_one(
    served: Served,
) -> None:
    ramp = served.ramp
    mended = {"bad": ramp.code("forest")}
    ids = ramp.side.ask("submit", event=EVENT, team=TEAM, names=mended)  # RAMP takes a failed one again
    ramp.side.ask("set_state", submission_id=served.submission("first")["id"], state="new")
    reset = ramp.seen()["submissions"]
    assert (reset["bad"]["state"], reset["first"]["state"]) == ("new", "new")
    ramp.serve()
    seen = ramp.seen()["submissions"]
    assert (seen["bad"]["id"], seen["bad"]["state"], seen["first"]["state"]) == (ids["bad"], "scored", "scored")
    for kind in ("scores", "bagged"):
        assert flat(seen["bad"][kind]) == pytest.approx(flat(seen["second"][kind]), rel=1e-12)
    assert "Traceback" not in seen["bad"]["error_msg"]
    assert seen["first"]["training_at"] > served.submission("first")["training_at"]
    assert generations(ramp) == {"first": [1, 2], "second": [1], "bad": [1, 2]}


def test_our_own_submit_leaves_the_adding_to_ramp(served: Served) -> None:
    ramp = served.ramp
    words = ("--event", EVENT, "--team", TEAM, "--submission", "ours", "--path", ramp.code("forest"))
    answer = ramp.ours.invoke("submit", *words)
    assert answer.exit_code == 1, answer
    assert "with RAMP's own tools" in answer.err
    assert "ours" not in ramp.seen()["submissions"]


def flat(found: dict[str, dict[str, float] | list[float]]) -> dict[str, float]:
    """Numbers by the path that leads to them."""
    return {
        f"{outer}/{inner}": number
        for outer, numbers in found.items()
        for inner, number in (numbers.items() if isinstance(numbers, dict) else enumerate(numbers))
    }


def generations(ramp: RampDeployment) -> dict[str, list[int]]:
    """The generations of each submission that have a result."""
    engine = sqlalchemy.create_engine(ramp.url.set(drivername="postgresql+psycopg"))
    query = (
        "SELECT name, array_agg(generation ORDER BY generation) FROM rampart_runs"
        " JOIN submissions ON submissions.id = submission_id WHERE stage IN ('scored', 'failed') GROUP BY name"
    )
    with engine.connect() as connection:
        found = {name: list(numbers) for name, numbers in connection.exec_driver_sql(query)}
    engine.dispose()
    return found
