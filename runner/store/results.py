"""Write a submission's state, times, scores into RAMP's rows, within one transaction of the caller's."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean, pstdev
from typing import Any

from sqlalchemy import Connection, and_, bindparam, select, update

from contracts.work import Scored
from runner.store.tables import (
    State,
    event_score_types,
    submission_on_cv_folds,
    submission_score_on_cv_folds,
    submission_scores,
    submissions,
)

_STEPS_OF_A_FOLD = ("train", "valid", "test")


def set_state(connection: Connection, submission_id: int, state: State, **values: Any) -> None:
    connection.execute(update(submissions).where(submissions.c.id == submission_id).values(state=state.value, **values))
    folds = submission_on_cv_folds
    connection.execute(update(folds).where(folds.c.submission_id == submission_id).values(state=state.value))


def write_folds(connection: Connection, submission_id: int, scored: Scored) -> None:
    """The k-th fold row by id is fold k of the kit."""
    folds = submission_on_cv_folds
    ids = connection.scalars(
        select(folds.c.id).where(folds.c.submission_id == submission_id).order_by(folds.c.id)
    ).all()
    pairs = list(zip(ids, scored.folds, strict=False))
    if not pairs:
        return
    times = [
        {"row": row, "train_s": fold.train_time_s, "valid_s": fold.valid_time_s, "test_s": fold.test_time_s}
        for row, fold in pairs
    ]
    connection.execute(
        update(folds)
        .where(folds.c.id == bindparam("row"))
        .values(
            train_time=bindparam("train_s"),
            valid_time=bindparam("valid_s"),
            test_time=bindparam("test_s"),
        ),
        times,
    )
    scores_of = _score_rows(connection, submission_id)
    values = [
        {"fold": row, "score": scores_of[name]} | _by_step(fold.scores, name)
        for row, fold in pairs
        for name in scores_of
    ]
    if values:
        cells = submission_score_on_cv_folds
        connection.execute(
            update(cells)
            .where(
                and_(
                    cells.c.submission_on_cv_fold_id == bindparam("fold"),
                    cells.c.submission_score_id == bindparam("score"),
                )
            )
            .values({f"{step}_score": bindparam(step) for step in _STEPS_OF_A_FOLD}),
            values,
        )


def write_bagged(connection: Connection, submission_id: int, scored: Scored) -> None:
    for name, row in _score_rows(connection, submission_id).items():
        values: dict[str, Any] = {}
        for step in ("valid", "test"):
            bags = scored.bagged.scores.get(step, {}).get(name, [])
            values[f"{step}_score_cv_bag"] = bags[-1] if bags else None
            values[f"{step}_score_cv_bags"] = bags
        connection.execute(update(submission_scores).where(submission_scores.c.id == row).values(values))


def _score_rows(connection: Connection, submission_id: int) -> dict[str, int]:
    query = (
        select(event_score_types.c.name, submission_scores.c.id)
        .join(event_score_types, event_score_types.c.id == submission_scores.c.event_score_type_id)
        .where(submission_scores.c.submission_id == submission_id)
    )
    return dict(connection.execute(query).all())


def _by_step(scores: Mapping[str, Mapping[str, float]], name: str) -> dict[str, float | None]:
    return {step: scores.get(step, {}).get(name) for step in _STEPS_OF_A_FOLD}


def time_summary(scored: Scored) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    for step in _STEPS_OF_A_FOLD:
        times = [getattr(fold, f"{step}_time_s") for fold in scored.folds]
        if times:
            summary |= {f"{step}_time_cv_mean": fmean(times), f"{step}_time_cv_std": pstdev(times)}
    return summary
