"""Render an event's leaderboards anew in RAMP's database, by RAMP's own functions.

Run it with the Python of the environment ramp-database is installed in; it imports nothing of Rampart's and may be
copied anywhere. RAMP's frontend shows the leaderboards only as they were rendered last, and rendering imports the
kit's `problem.py`, which is why it is not done by the dispatcher.
"""

from __future__ import annotations

import argparse
import os
import warnings

EVENT_VARIABLE = "RAMPART_EVENT"
"""Names the event where --event does not; hooks are given it."""


def main() -> None:
    """Render the leaderboards of the event and of each of its teams."""
    parser = argparse.ArgumentParser(description="Render the leaderboards of a RAMP event anew.")
    parser.add_argument("--config", required=True, help="the deployment's config.yml, with its section sqlalchemy")
    parser.add_argument("--event", default=os.environ.get(EVENT_VARIABLE), help=f"its name; default: ${EVENT_VARIABLE}")
    asked = parser.parse_args()
    if not asked.event:
        parser.error(f"which event? --event NAME, or the variable {EVENT_VARIABLE}")
    warnings.simplefilter("ignore")  # what RAMP's libraries say of each other is nothing an organiser could mend
    update(asked.config, asked.event)


def update(config: str, event: str) -> None:
    """Render them with the database of a deployment's configuration."""
    from ramp_database.tools.leaderboard import update_all_user_leaderboards, update_leaderboards
    from ramp_database.utils import session_scope
    from ramp_utils import read_config

    with session_scope(read_config(config, filter_section="sqlalchemy")) as session:
        update_leaderboards(session, event)
        update_all_user_leaderboards(session, event)


if __name__ == "__main__":
    main()
