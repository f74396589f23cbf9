"""The one door to the challenge's database."""

from runner.store.catalogue import Catalogue
from runner.store.database import Database
from runner.store.memory import MemoryStore
from runner.store.migrate import upgrade
from runner.store.rows import FailureRow, Leaderboard, LeaderboardRow, SubmissionRow
from runner.store.sql import SqlStore
from runner.store.submission_folder import check_name

__all__ = [
    "Catalogue",
    "Database",
    "FailureRow",
    "Leaderboard",
    "LeaderboardRow",
    "MemoryStore",
    "SqlStore",
    "SubmissionRow",
    "check_name",
    "upgrade",
]
