"""Declare the tables of RAMP's database, with just the columns that are read or written here."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Double,
    Enum,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

from runner.store.numpy_type import NumpyType


class State(StrEnum):
    """RAMP's states of a submission that are written here."""

    NEW = "new"
    SENT_TO_TRAINING = "sent_to_training"
    TRAINING = "training"
    SCORED = "scored"
    TRAINING_ERROR = "training_error"
    CHECKING_ERROR = "checking_error"


ERROR_STATES = ("training_error", "validating_error", "testing_error", "checking_error")

_FOLD_STATES = Enum(
    "new",
    "checked",
    "checking_error",
    "trained",
    "training_error",
    "validated",
    "validating_error",
    "tested",
    "testing_error",
    "training",
    "sent_to_training",
    "scored",
    name="submission_states",
)
_SUBMISSION_TYPES = Enum("live", "test", name="submission_types")
_FOLD_TYPES = Enum("live", "test", name="cv_fold_types")

metadata = MetaData()

problems = Table(
    "problems",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("path_ramp_kit", String),
    Column("path_ramp_data", String),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("title", String, nullable=False),
    Column("problem_id", ForeignKey("problems.id", ondelete="CASCADE"), nullable=False),
    Column("is_public", Boolean, default=False),
    Column("opening_timestamp", DateTime),
    Column("public_opening_timestamp", DateTime),
    Column("closing_timestamp", DateTime),
    Column("official_score_name", String),
    Column("ramp_sandbox_name", String),
    Column("path_ramp_submissions", String),
)

teams = Table(
    "teams",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(20), nullable=False, unique=True),
)

event_teams = Table(
    "event_teams",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("event_id", ForeignKey("events.id", ondelete="CASCADE"), nullable=False),
    Column("team_id", ForeignKey("teams.id", ondelete="CASCADE"), nullable=False),
    Column("is_active", Boolean, default=True),
    Column("last_submission_name", String),
    Column("approved", Boolean, default=False),
    UniqueConstraint("event_id", "team_id", name="et_constraint"),
)

score_types = Table(
    "score_types",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("is_lower_the_better", Boolean, nullable=False),
    Column("minimum", Double, nullable=False),
    Column("maximum", Double, nullable=False),
)

event_score_types = Table(
    "event_score_types",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("event_id", ForeignKey("events.id", ondelete="CASCADE"), nullable=False),
    Column("score_type_id", ForeignKey("score_types.id", ondelete="CASCADE"), nullable=False),
    Column("precision", Integer),
)

cv_folds = Table(
    "cv_folds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("type", _FOLD_TYPES, default="live"),
    Column("event_id", ForeignKey("events.id", ondelete="CASCADE"), nullable=False),
)

submissions = Table(
    "submissions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("event_team_id", ForeignKey("event_teams.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(20), nullable=False),
    Column("hash_", String, nullable=False, unique=True, index=True),
    Column("submission_timestamp", DateTime, nullable=False),
    Column("sent_to_training_timestamp", DateTime),
    Column("training_timestamp", DateTime),
    Column("contributivity", Double, default=0.0),
    Column("type", _SUBMISSION_TYPES, default="live"),
    Column("state", String, default="new"),
    Column("queue_position", Integer, default=-1),
    Column("error_msg", String, default=""),
    Column("is_valid", Boolean, default=True),
    Column("is_to_ensemble", Boolean, default=True),
    Column("is_in_competition", Boolean, default=True),
    Column("notes", String, default=""),
    Column("train_time_cv_mean", Double, default=0.0),
    Column("valid_time_cv_mean", Double, default=0.0),
    Column("test_time_cv_mean", Double, default=0.0),
    Column("train_time_cv_std", Double, default=0.0),
    Column("valid_time_cv_std", Double, default=0.0),
    Column("test_time_cv_std", Double, default=0.0),
    Column("max_ram", Double, default=0.0),
    UniqueConstraint("event_team_id", "name", name="ts_constraint"),
    sqlite_autoincrement=True,  # an id names a folder: it is never given twice
)

submission_on_cv_folds = Table(
    "submission_on_cv_folds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("submission_id", ForeignKey("submissions.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("cv_fold_id", ForeignKey("cv_folds.id", ondelete="CASCADE"), nullable=False),
    Column("contributivity", Double, default=0.0),
    Column("best", Boolean, default=False),
    Column("train_time", Double, default=0.0),
    Column("valid_time", Double, default=0.0),
    Column("test_time", Double, default=0.0),
    Column("state", _FOLD_STATES, default="new"),
    Column("error_msg", String, default=""),
)

submission_scores = Table(
    "submission_scores",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("submission_id", ForeignKey("submissions.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("event_score_type_id", ForeignKey("event_score_types.id", ondelete="CASCADE"), nullable=False),
    Column("valid_score_cv_bag", Double),
    Column("test_score_cv_bag", Double),
    Column("valid_score_cv_bags", NumpyType),
    Column("test_score_cv_bags", NumpyType),
)

submission_score_on_cv_folds = Table(
    "submission_score_on_cv_folds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column(
        "submission_on_cv_fold_id",
        ForeignKey("submission_on_cv_folds.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("submission_score_id", ForeignKey("submission_scores.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("train_score", Double),
    Column("valid_score", Double),
    Column("test_score", Double),
)
