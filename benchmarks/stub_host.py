"""Be a thousand hosts at once: one real SSH server that answers the stages' commands and runs nothing.

Told by lines on its standard input: `count` makes it say how many jobs it was asked to start, `go` lets all end.
"""

from __future__ import annotations

import asyncio
import io
import json
import shlex
import sys
import tarfile
from collections import Counter
from pathlib import Path

import asyncssh

from clients import keys
from contracts.work import HostLayout
from runner import commands

LAYOUT = HostLayout("/kit", "/kit", "/python", "/ramp-test")
_BACKLOG = 1024
_EXIT = {
    "end": "exited",
    "code": 0,
    "wall_time_s": 1.0,
    "cpu_time_s": 1.0,
    "peak_memory_bytes": 2**20,
    "output_bytes": 3,
    "output_dropped_bytes": 0,
}
_TIMES = dict.fromkeys(("train_time", "valid_time", "test_time"), b"0.1\n")
_FOLD = b"step,acc,nll,time\ntrain,0.9,0.5,0.1\nvalid,0.8,0.6,0.1\ntest,0.7,0.7,0.1\n"
_BAGGED = b"step,n_bag,acc,nll\nvalid,0,0.8,0.6\nvalid,1,0.8,0.6\ntest,0,0.7,0.7\ntest,1,0.7,0.7\n"


class StubHosts:
    """What all those hosts are asked, and when their jobs end."""

    def __init__(self) -> None:
        self.launched: Counter[str] = Counter()
        self.go = asyncio.Event()

    async def serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        """Answer one command."""
        argv = tuple(shlex.split((process.command or "").removeprefix("exec ").removesuffix(" </dev/null")))
        try:
            process.stdout.write(await self._answer(argv, process))
            process.exit(0)
        except (OSError, asyncssh.Error):
            return  # whoever asked is gone

    async def _answer(self, argv: tuple[str, ...], process: asyncssh.SSHServerProcess[bytes]) -> bytes:
        if argv == commands.unpack(argv[-1]):
            while await process.stdin.read(65536):
                pass
            return f"/home/stub/{argv[-1]}\n".encode()
        if "launch" in argv:
            self.launched[argv[argv.index("launch") + 1]] += 1
            return b""
        if argv == commands.wait(LAYOUT, argv[4]):
            await self.go.wait()
            return json.dumps(_EXIT).encode()
        if argv == commands.pack(argv[-2], argv[-1]):
            return _archive(argv[-1])
        raise asyncssh.ProtocolError(f"nobody taught a stub {argv}")


def _archive(output: str) -> bytes:
    files = {"log": b"ok\n", f"{output}/bagged_scores.csv": _BAGGED}
    for fold in ("fold_0", "fold_1"):
        files[f"{output}/{fold}/scores.csv"] = _FOLD
        files |= {f"{output}/{fold}/{name}": content for name, content in _TIMES.items()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return buffer.getvalue()


async def _serve(folder: Path) -> None:
    """Make keys in `folder`, say on which port, then obey."""
    private, public = keys.new_host_key()
    (folder / "host_key.pub").write_text(public)
    authorized = keys.new_key_file(folder / "client_key")
    hosts = StubHosts()
    acceptor = await asyncssh.create_server(
        asyncssh.SSHServer,
        "127.0.0.1",
        0,
        server_host_keys=[asyncssh.import_private_key(private)],
        authorized_client_keys=asyncssh.import_authorized_keys(authorized),
        process_factory=hosts.serve,
        encoding=None,
        backlog=_BACKLOG,
        login_timeout=120,
    )
    print(acceptor.get_port(), flush=True)
    while order := await asyncio.to_thread(sys.stdin.readline):
        if order.strip() == "count":
            print(hosts.launched.total(), flush=True)
        else:
            hosts.go.set()
            print("gone on", flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
