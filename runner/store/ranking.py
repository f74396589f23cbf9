"""Put a leaderboard into its order."""

from __future__ import annotations

from dataclasses import replace

from runner.kit import ScoreType
from runner.store.rows import Leaderboard, LeaderboardRow


def ranked(board: Leaderboard, step: str) -> Leaderboard:
    """Sort the rows by the first score type on `valid` or `test` data; of equal ones the earlier stands first.

    A row without that score stands last.
    """
    if not board.score_types:
        return board
    return replace(board, rows=tuple(sorted(board.rows, key=lambda row: _rank(row, board.score_types[0], step))))


def _rank(row: LeaderboardRow, official: ScoreType, step: str) -> tuple[bool, float]:
    score = (row.test if step == "test" else row.valid).get(official.name)
    if score is None:
        return (True, 0.0)
    return (False, score if official.is_lower_the_better else -score)
