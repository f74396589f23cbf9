"""The one door to the challenge's database."""

from runner.store.catalogue import Catalogue
from runner.store.copying import copy_event
from runner.store.database import Database
from runner.store.memory import MemoryStore
from runner.store.migrate import upgrade
from runner.store.rows import EventReport, FailureRow, Leaderboard, LeaderboardRow, Pause, SubmissionRow
from runner.store.sql import SqlStore
from runner.store.submission_folder import check_name
from runner.store.wishes import Cancelled, Which, Wishes

__all__ = [
    "Cancelled",
    "Catalogue",
    "Database",
    "EventReport",
    "FailureRow",
    "Leaderboard",
    "LeaderboardRow",
    "MemoryStore",
    "Pause",
    "SqlStore",
    "SubmissionRow",
    "Which",
    "Wishes",
    "check_name",
    "copy_event",
    "upgrade",
]
