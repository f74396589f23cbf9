"""Measure how many submissions a second are claimed, by one dispatcher or by eight."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from multiprocessing.queues import Queue
from pathlib import Path

from sqlalchemy import Connection, insert, select

from benchmarks import claimer, script
from benchmarks.claimer import Taken
from benchmarks.figures import Figure
from runner.app import now
from runner.store import Catalogue, Database, tables
from tests.contract import store_fixtures

TEAM = "blue"
# claimers, and how many free places each of them fills with one claim
CASES = ((1, 1), (8, 1), (8, 20))


def measure(quick: bool) -> list[Figure]:
    """Each case has a database of its own with all submissions waiting, for a claim looks through the whole queue."""
    waiting, seconds = (1000, 1.0) if quick else (4000, 4.0)
    with tempfile.TemporaryDirectory(prefix="rampart-bench-") as name:
        folder = Path(name)
        figures = []
        for number, case in enumerate(CASES):
            url = f"sqlite:///{folder}/claims-{number}.db"
            store_fixtures.make_tables(url)
            figures.append(_measured("SQLite", url, folder, waiting, seconds, case))
        return figures + _on_postgresql(folder, waiting, seconds)


def _on_postgresql(folder: Path, waiting: int, seconds: float) -> list[Figure]:
    programs = store_fixtures.postgresql_programs()
    if programs is None:
        return []
    figures = []
    with store_fixtures.postgresql_server(programs) as server:
        for number, case in enumerate(CASES):
            url = store_fixtures.new_postgresql_database(server, f"claims_{number}")
            store_fixtures.make_tables(url)
            figures.append(_measured("PostgreSQL", url, folder, waiting, seconds, case))
    return figures


def _measured(kind: str, url: str, folder: Path, waiting: int, seconds: float, case: tuple[int, int]) -> Figure:
    claimers, places = case
    database = Database(url)
    _fill(database, folder, url, waiting)
    database.close()
    taken = _race(url, folder, claimers, places, seconds)
    ids = [one for each in taken for one in each.ids]
    lasted_s = max(one.ended for one in taken) - min(one.began for one in taken)
    refused = sum(one.refused for one in taken)
    how = f"{len(ids)} of {waiting} waiting in {lasted_s:.1f} s, claimed twice: {len(ids) - len(set(ids))}"
    how += f", refused: {refused}" if refused else ""
    how += ", without fsync" if kind == "PostgreSQL" else ""
    target = {"SQLite": "≥ 300", "PostgreSQL": "≥ 2,000"}[kind] if claimers > 1 else ""
    dispatchers = "1 dispatcher" if claimers == 1 else f"{claimers} dispatchers (processes)"
    what = f"claims per second, {kind}, {dispatchers}, {places} a time"
    return Figure(what, round(len(ids) / lasted_s), "/s", target, how)


def _race(url: str, folder: Path, claimers: int, places: int, seconds: float) -> list[Taken]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([claimer.__name__])  # eight imports would take longer than the race
    start = context.Barrier(claimers)
    answers: Queue[Taken] = context.Queue()
    processes = [
        context.Process(target=claimer.claim, args=(url, folder, places, seconds, start, answers), daemon=True)
        for _ in range(claimers)
    ]
    for process in processes:
        process.start()
    taken = [answers.get(timeout=claimer.PATIENCE_S) for _ in processes]
    for process in processes:
        process.join()
    return taken


def _fill(database: Database, folder: Path, url: str, waiting: int) -> None:
    """Put submissions into the queue with their rows of folds and scores, in bulk and without any code."""
    event = store_fixtures.event_in(folder, url)
    catalogue = Catalogue(database, now)
    catalogue.add_event(event, store_fixtures.KIT)
    catalogue.add_team(event.name, TEAM)
    with database.writing() as connection:
        ids = range(1, waiting + 1)
        team = connection.scalar(select(tables.event_teams.c.id))
        submitted = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
        rows = [
            {
                "id": one,
                "event_team_id": team,
                "name": f"s{one}",
                "hash_": f"{one:064x}",
                "submission_timestamp": submitted + timedelta(seconds=one),
            }
            for one in ids
        ]
        connection.execute(insert(tables.submissions), rows)
        _fill_details(connection, ids)


def _fill_details(connection: Connection, ids: Sequence[int]) -> None:
    folds = connection.scalars(select(tables.cv_folds.c.id)).all()
    types = connection.scalars(select(tables.event_score_types.c.id)).all()
    of_folds = [{"submission_id": one, "cv_fold_id": fold} for one in ids for fold in folds]
    connection.execute(insert(tables.submission_on_cv_folds), of_folds)
    scores = [{"submission_id": one, "event_score_type_id": kind} for one in ids for kind in types]
    connection.execute(insert(tables.submission_scores), scores)


if __name__ == "__main__":
    script.main(measure)
