"""The one door to the challenge's database."""

from runner.store.canary_records import CanaryRecord, CanaryRecords
from runner.store.catalogue import Catalogue
from runner.store.copying import copy_event
from runner.store.database import Database
from runner.store.image_records import ImageRecords, ImageUse
from runner.store.leases import LEASE_S
from runner.store.memory import MemoryStore
from runner.store.migrate import upgrade
from runner.store.rows import (
    EventCounts,
    EventReport,
    FailureRow,
    Leaderboard,
    LeaderboardRow,
    Pause,
    SubmissionRow,
    Window,
)
from runner.store.sql import SqlStore
from runner.store.submission_folder import check_name
from runner.store.wishes import Cancelled, Which, Wishes

__all__ = [
    "LEASE_S",
    "CanaryRecord",
    "CanaryRecords",
    "Cancelled",
    "Catalogue",
    "Database",
    "EventCounts",
    "EventReport",
    "FailureRow",
    "ImageRecords",
    "ImageUse",
    "Leaderboard",
    "LeaderboardRow",
    "MemoryStore",
    "Pause",
    "SqlStore",
    "SubmissionRow",
    "Which",
    "Window",
    "Wishes",
    "check_name",
    "copy_event",
    "upgrade",
]
