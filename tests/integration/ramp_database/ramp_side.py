"""Do in RAMP's own environment, with RAMP's own functions, what a test asks.

`python ramp_side.py CONFIG`: each line of standard input is a JSON object of `action` and its `arguments`, each line
of standard output its answer as JSON.
"""

from __future__ import annotations

import json
import math
import signal
import sys
import warnings
from typing import Any

warnings.simplefilter("ignore")

from ramp_database import testing  # noqa: E402
from ramp_database.model import Event, EventTeam  # noqa: E402
from ramp_database.model.submission import submission_states  # noqa: E402
from ramp_database.tools import event as events  # noqa: E402
from ramp_database.tools import submission as submissions  # noqa: E402
from ramp_database.tools.team import sign_up_team  # noqa: E402
from ramp_database.tools.user import add_user, approve_user  # noqa: E402
from ramp_database.utils import session_scope  # noqa: E402
from ramp_utils import read_config  # noqa: E402

_LIFE_S = 600  # a test that waits for an answer which never comes is ended


def make(session: Any, *, event: str, problem: str, kit: str, data: str, submissions_dir: str, team: str) -> None:
    """Make a problem, an event of it, a user whose team is signed up: with its sandbox, as RAMP does."""
    testing.setup_files_extension_type(session)
    add_user(session, name=team, password="secret", lastname="One", firstname="Some", email="one@example.org")
    approve_user(session, team)
    events.add_problem(session, problem, kit, data)
    events.add_event(session, problem, event, "An event", "starting_kit", submissions_dir, is_public=True)
    session.query(Event).filter_by(name=event).one().min_duration_between_submissions = 0
    session.commit()
    sign_up_team(session, event, team)


def submit(session: Any, *, event: str, team: str, names: dict[str, str]) -> dict[str, int]:
    """Add submissions, or again those that failed, as RAMP's frontend does; gives their ids."""
    return {name: submissions.add_submission(session, event, team, name, path).id for name, path in names.items()}


def set_state(session: Any, *, submission_id: int, state: str) -> None:
    """Set a submission's state."""
    submissions.set_submission_state(session, submission_id, state)


def record(session: Any, *, submission_id: int, predictions: str) -> dict[str, Any]:
    """Record a submission's files as RAMP's own engine does; gives what is seen of it then."""
    submissions.set_time(session, submission_id, predictions)
    submissions.set_scores(session, submission_id, predictions)
    submissions.set_bagged_scores(session, submission_id, predictions)
    return seen_of(session, submissions.get_submission_by_id(session, submission_id))


def seen(session: Any, *, event: str) -> dict[str, Any]:
    """Tell all that RAMP's functions tell of an event."""
    of_event = submissions.get_submissions(session, event, None)
    found = [submissions.get_submission_by_id(session, key) for key, _, _ in of_event]
    return {
        "by_state": {
            state: [key for key, _, _ in listed]
            for state in submission_states.enums
            if (listed := submissions.get_submissions(session, event, state))
        },
        "submissions": {one.name: seen_of(session, one) for one in found},
    }


def seen_of(session: Any, one: Any) -> dict[str, Any]:
    """Tell all that RAMP's functions tell of a submission."""
    scores = submissions.get_scores(session, one.id).to_dict("index")
    bagged = submissions.get_bagged_scores(session, one.id).to_dict("index") if one.state == "scored" else {}
    return {
        "id": one.id,
        "state": submissions.get_submission_state(session, one.id),
        "fold_states": [fold.state for fold in sorted(one.on_cv_folds, key=lambda fold: fold.id)],
        "queue_position": one.queue_position,
        "error_msg": submissions.get_submission_error_msg(session, one.id),
        "max_ram": submissions.get_submission_max_ram(session, one.id),
        "sent_to_training_at": _iso(one.sent_to_training_timestamp),
        "training_at": _iso(one.training_timestamp),
        "submitted_at": _iso(one.submission_timestamp),
        "times": submissions.get_time(session, one.id).to_dict("list"),
        "scores": {f"fold_{fold}/{step}": _plain(row) for (fold, step), row in scores.items()},
        "bagged": {f"{step}/{n}": _plain(row) for (step, n), row in bagged.items()},
        "bag": {score.score_name: [score.valid_score_cv_bag, score.test_score_cv_bag] for score in one.scores},
        "is_on_leaderboard": bool(one.is_public_leaderboard),
    }  # fmt: skip


def shown(session: Any, *, event: str) -> dict[str, str | None]:
    """Tell the leaderboards that RAMP's frontend shows: the event's and its teams'."""
    row = session.query(Event).filter_by(name=event).one()
    found = {name: getattr(row, name) for name in _leaderboards(Event)}
    for team in session.query(EventTeam).filter_by(event=row):
        found |= {f"{team.team.name}/{name}": getattr(team, name) for name in _leaderboards(EventTeam)}
    return found


def _leaderboards(model: Any) -> list[str]:
    return [column.name for column in model.__table__.columns if "leaderboard_html" in column.name]


def _plain(row: dict[str, float]) -> dict[str, float | None]:
    return {str(name): None if score is None or math.isnan(score) else float(score) for name, score in row.items()}


def _iso(moment: Any) -> str | None:
    return moment.isoformat() if moment else None


def main() -> None:
    """Answer line by line until there are no more questions; what RAMP prints by the way goes to standard error."""
    signal.alarm(_LIFE_S)
    config = read_config(sys.argv[1], filter_section="sqlalchemy")
    actions = {one.__name__: one for one in (make, submit, set_state, record, seen, shown)}
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        asked = json.loads(line)
        with session_scope(config) as session:
            answer = actions[asked["action"]](session, **asked["arguments"])
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
