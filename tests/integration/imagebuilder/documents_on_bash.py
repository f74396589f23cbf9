"""Run component documents with bash in a folder, as a build does on an instance.

A bucket is a folder: what S3Download fetches from `s3://name/key` lies in `Bench.bucket` under `name/key`.
"""

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
        self.etc = folder / "etc"
        self.bucket = folder / "bucket"
        self.programs = folder / "programs"
        for path in (self.home, self.programs):
            path.mkdir(parents=True)
        self.stand_in("sudo", _SUDO)
        for name in ("apt-get", "useradd", "usermod"):
            self.stand_in(name, _RECORDER)
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
        own = {"Home": str(self.home), "Prefix": str(self.prefix), "Etc": str(self.etc)}
        for component in components:
            document = documents.parse(component.data, Path(component.name))
            declared = {parameter.name for parameter in document.parameters}
            values = component.parameters | {name: own[name] for name in own.keys() & declared}
            steps = documents.fill(document, values).phase(phase)
            output += [self._step(step) for step in (steps.steps if steps else ())]
        return "".join(output)

    def _step(self, step: documents.Step) -> str:
        if step.action == "S3Download":
            assert isinstance(step.inputs, list)
            for entry in step.inputs:
                assert isinstance(entry, dict)
                self._download(str(entry["source"]), str(entry["destination"]))
            return ""
        assert isinstance(step.inputs, dict)
        commands = step.inputs["commands"]
        assert isinstance(commands, list)
        return self.bash("\n".join(map(str, commands)))

    def _download(self, source: str, destination: str) -> None:
        """One object to a file, or all below a prefix, which ends in `*`, to a folder."""
        place = self.bucket / source.removeprefix("s3://").removesuffix("*")
        if source.endswith("*"):
            shutil.copytree(place, destination, dirs_exist_ok=True)
        else:
            Path(destination).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place, destination)

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
