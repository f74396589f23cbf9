"""Say what a job knows."""

from __future__ import annotations

from pathlib import Path

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
MARK = "RAMPART_JOB"


def job_environment(folder: Path, program: str, n_threads: int | None) -> dict[str, str]:
    """All a job may know: nothing of the host's or the organiser's environment is handed on."""
    environment = {
        "PATH": str(Path(program).parent) + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "USER": "submission",
        "LOGNAME": "submission",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",  # what was printed before a kill is in the log
        "PYTHONFAULTHANDLER": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        MARK: str(folder),
    }
    if n_threads is not None:
        environment.update((name, str(n_threads)) for name in THREAD_VARIABLES)
    return environment
