"""Tell other processes of this machine where the scheduler of an event's Dask cluster is dialled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from contracts.dask import Scheduler, TlsFiles
from contracts.event import EventConfig
from runner import process_name, whole_files

_FILE = "dask-scheduler.json"


class Announcement:
    """One loop's word, in the event's state folder. It is worth nothing any more when the loop has ended."""

    def __init__(self, event: EventConfig) -> None:
        self._path = event.state_dir / _FILE

    def make(self, scheduler: Scheduler) -> None:
        """Say it, in place of what was said before."""
        tls = scheduler.tls
        told = {
            "owner": process_name.own_name(),
            "address": scheduler.address,
            "tls": None if tls is None else [str(tls.authority), str(tls.certificate), str(tls.key)],
        }
        whole_files.write(self._path, json.dumps(told))

    def withdraw(self) -> None:
        """Unsay what this process said."""
        if self._told().get("owner") == process_name.own_name():
            self._path.unlink(missing_ok=True)

    def found(self) -> Scheduler | None:
        """What a loop that lives has said; None where none has."""
        told = self._told()
        if not told or process_name.is_dead(str(told["owner"])):
            return None
        files = told["tls"]
        return Scheduler(str(told["address"]), None if files is None else TlsFiles(*map(Path, files)))

    def _told(self) -> dict[str, Any]:
        try:
            told = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        is_whole = isinstance(told, dict) and {"owner", "address", "tls"} <= told.keys() and _is_tls(told["tls"])
        return told if is_whole else {}


def _is_tls(files: object) -> bool:
    is_list = isinstance(files, list) and len(files) == 3 and all(isinstance(path, str) for path in files)
    return files is None or is_list
