"""Copy a job's log to standard output as it grows, until the job ends.

Standard library only, Python 3.8 or newer: given to the host's own Python as an argument. It stops as soon as nobody
reads any more.
"""

from __future__ import annotations

import fcntl
import os
import select
import sys

CHUNK_BYTES = 64 * 1024
PAUSE_MS = 200


def main() -> None:
    """Follow the log in the folder that is the first argument, from the byte that is the second."""
    folder, offset = sys.argv[1], int(sys.argv[2])
    lock = os.open(folder + "/lock", os.O_RDONLY)
    log = os.open(folder + "/log", os.O_RDONLY)
    os.lseek(log, offset, os.SEEK_SET)
    reader = select.poll()
    reader.register(1, 0)
    while True:
        ended = job_has_ended(lock)  # asked before the last look at the log, which then misses nothing
        copy(log)
        if ended or reader.poll(PAUSE_MS):  # what it says without being asked for anything: nobody reads
            return


def job_has_ended(lock: int) -> bool:
    """Whether the supervisor has let go of its lock."""
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def copy(log: int) -> None:
    """Write what has come since the last time."""
    while True:
        data = os.read(log, CHUNK_BYTES)
        if not data:
            return
        while data:
            data = data[os.write(1, data) :]


if __name__ == "__main__":
    main()
