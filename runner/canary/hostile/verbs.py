"""Do what the command line asks: try everything, explode, lie, or look as the next submission."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from runner.canary.hostile import (
    bombs,
    changes,
    leaving,
    lying,
    network,
    output,
    processes,
    rights,
    thefts,
)
from runner.canary.hostile.trying import Attempt, Plan, line, tried

ATTEMPTS: dict[str, Attempt] = {
    "labels": thefts.labels,
    "other-submission": thefts.other_submission,
    "home": thefts.home,
    "keys": thefts.keys,
    "user-data": thefts.user_data,
    "logs": thefts.logs,
    "secrets": thefts.secrets,
    "supervisor-files": thefts.supervisor_files,
    "record": changes.record,
    "kit": changes.kit,
    "environment": changes.environment,
    "system": changes.system,
    "metadata": network.metadata,
    "metadata-token": network.metadata_token,
    "tcp": network.tcp,
    "udp": network.udp,
    "dns": network.dns,
    "beside": network.beside,
    "loopback": network.loopback,
    "abstract-socket": network.abstract_socket,
    "file-sockets": network.file_sockets,
    "families": network.families,
    "sudo": rights.sudo,
    "setuid-made": rights.setuid_made,
    "setuid-existing": rights.setuid_existing,
    "mounts": rights.mounts,
    "namespaces": rights.namespaces,
    "devices": rights.devices,
    "kernel": rights.kernel,
    "keyring": rights.keyring,
    "signals": processes.signals,
    "traced": processes.traced,
    "looked-into": processes.looked_into,
    "left-files": leaving.files,
    "left-memory": leaving.shared_memory,
    "escaped": processes.escaped,
    "stays": processes.stays,
    "symlink": output.symlink,
    "hard-link": output.hard_link,
    "device": output.device,
    "fifo": output.fifo,
    "climbing": output.climbing,
    "absolute": output.absolute,
    "control-names": output.control_names,
    "option-names": output.option_names,
    "deep": output.deep,
    "sparse": output.sparse,
    "huge": output.huge,
}
LOOKS = ("user-data", "metadata", "metadata-token", "tcp", "udp", "dns", "beside", "logs")
"""What is tried outside of the walls first: where that fails too, there is nothing to be kept from."""

BOMBS: dict[str, Attempt] = {
    "forks": bombs.forks,
    "memory": bombs.memory,
    "disk": bombs.disk,
    "many": bombs.many,
    "endless": bombs.endless,
}


def main() -> int:
    """Read plan and verb; gives the exit code."""
    verb = sys.argv[1]
    plan = Plan(json.loads((Path(sys.argv[0]).resolve().parent / "plan.json").read_text("ascii")))
    if verb == "lie":
        return lying.lie(plan.token)
    if verb == "heir":
        for name, text in leaving.found(plan).items():
            _say(plan, name, "got", text)
        _say(plan, "heir", "done", "")
    elif verb in BOMBS:
        _say(plan, verb, "begins", "")
        _say(plan, verb, "got", BOMBS[verb](plan))
    elif verb == "look":
        plan.is_inside = False
        for name in LOOKS:
            _say(plan, name, *tried(ATTEMPTS[name], plan))
    else:
        output.fake_scores(plan)
        for name, attempt in ATTEMPTS.items():
            _say(plan, name, *tried(attempt, plan))
    return 0


def _say(plan: Plan, name: str, word: str, text: str) -> None:
    print(line(plan.token, name, word, text), flush=True)
