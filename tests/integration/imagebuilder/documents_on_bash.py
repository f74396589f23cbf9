"""Run component documents with bash in a folder, as a build does on an instance."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from imagebuilder import documents
from imagebuilder.catalogue import Component

_SUDO = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do case "$1" in -u) shift 2 ;; *) shift ;; esac; done
HOME="$BUILD_HOME" exec "$@"
"""
_RECORDER = """#!/bin/sh
echo "${0##*/} $*" >> "$BUILD_HOME/calls"
"""


class Bench:
    """A home, a prefix and stand-ins for the programs that need root."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.prefix = folder / "prefix"
        self.programs = folder / "programs"
        for path in (self.home, self.programs):
            path.mkdir(parents=True)
        self.stand_in("sudo", _SUDO)
        self.stand_in("apt-get", _RECORDER)
        self.environment = {
            "PATH": f"{self.programs}:{os.defpath}",
            "HOME": str(self.home),
            "BUILD_HOME": str(self.home),
            "PIP_NO_INDEX": "1",
        }

    def stand_in(self, name: str, script: str) -> None:
        """Put a program before the real one."""
        path = self.programs / name
        path.write_text(script)
        path.chmod(0o755)

    def calls(self) -> list[str]:
        """What the recording stand-ins were asked."""
        calls = self.home / "calls"
        return calls.read_text().splitlines() if calls.exists() else []

    def run(self, components: Iterable[Component], phase: str) -> str:
        """Run one phase of every component in order; raises CalledProcessError with the output at the first failure."""
        output = []
        for component in components:
            document = documents.parse(component.data, Path(component.name))
            own = {"Home": str(self.home), "Prefix": str(self.prefix)}
            values = {name: own.get(name, value) for name, value in component.parameters.items()}
            steps = documents.fill(document, values).phase(phase)
            for step in steps.steps if steps else ():
                assert isinstance(step.inputs, dict)
                commands = step.inputs["commands"]
                assert isinstance(commands, list)
                output.append(self.bash("\n".join(map(str, commands))))
        return "".join(output)

    def bash(self, script: str) -> str:
        """Run one script and give all it printed."""
        bash = shutil.which("bash") or "bash"
        done = subprocess.run(
            [bash, "-c", script],
            env=self.environment,
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode != 0:
            raise subprocess.CalledProcessError(done.returncode, "bash", done.stdout)
        return done.stdout
