"""Own a room of machines in a process of its own, so that a test can be another user or kill it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from localcloud.machines import Level, MachineRoom


def main(folder: str, level: str, script: str) -> None:
    """Run `script` in a machine and in one launched from its image, print what came out, wait to be killed."""
    with MachineRoom(Path(folder), level=Level(level), environment=Path(sys.prefix)) as room:
        machine = room.create("i-1", image_id=None, login_user="ubuntu")
        outputs = []
        for name in ("i-1", "i-2"):
            spawn = machine.spawn(["sh", "-c", script], user="ubuntu")
            done = subprocess.run(
                spawn.argv, env=spawn.env, cwd=spawn.cwd, capture_output=True, text=True, check=False, timeout=60
            )
            outputs.append([done.returncode, done.stdout, done.stderr])
            if name == "i-1":
                room.snapshot(machine, "ami-1")
                machine = room.create("i-2", image_id="ami-1", login_user="ubuntu")
        spawn = machine.spawn(["sleep", "300"], user="ubuntu")
        with subprocess.Popen(spawn.argv, env=spawn.env, cwd=spawn.cwd, start_new_session=True) as sleeper:
            print(json.dumps({"uid": os.geteuid(), "calls": machine.recorded_calls(), "outputs": outputs}), flush=True)
            signal.sigwait({signal.SIGTERM, signal.SIGUSR1})
            machine.destroy()
            sleeper.wait()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
    main(*sys.argv[1:])
