"""Serve an event on a Dask cluster, in a process whose CPU time or memory can be told from others'.

Called with the event file; prints a JSON object: `count`, `lasted_s` from the first claim to the last record, and the
medians of what each stage took, in seconds, with what the wait took beyond the job.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from statistics import median

from benchmarks.serving import Ended, serve
from contracts.event_file import load_event
from runner.progress import Stage

_STAGES = (Stage.PROVISION, Stage.PUSH, Stage.LAUNCH, Stage.PULL, Stage.SCORE, Stage.RECORD)


def main() -> None:
    """Serve until the queue is empty."""
    ended = serve(load_event(Path(sys.argv[1]), environ={}))
    lasted = max(one.recorded_at for one in ended) - min(one.claimed_at for one in ended)
    medians = {str(stage): median(one.steps[stage] for one in ended) for stage in _STAGES}
    medians["wait beyond the job"] = median(map(_beyond_the_job_s, ended))
    print(json.dumps({"count": len(ended), "lasted_s": lasted / timedelta(seconds=1), "medians_s": medians}))


def _beyond_the_job_s(one: Ended) -> float:
    return one.steps[Stage.WAIT] - one.scored.pulled.finished.exit.wall_time_s


if __name__ == "__main__":
    main()
