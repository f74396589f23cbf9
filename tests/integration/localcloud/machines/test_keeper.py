"""The keeper of the machines outlives what one of them does."""

from __future__ import annotations

import json
import socket
import subprocess
from typing import Any

from localcloud.machines import keeper


class Failing(keeper.Keeper):
    """A keeper whose tools fail."""

    def __init__(self) -> None:
        """Keep nothing."""

    def snapshot(self, machine: str, image: str) -> None:
        raise subprocess.CalledProcessError(1, ["cp", machine, image])


def test_whatever_one_request_does_the_keeper_answers_and_goes_on() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        keeper._answer(theirs, Failing(), {"do": "snapshot", "machine": "i-1", "image": "ami-1"})
        answer: dict[str, Any] = json.loads(ours.recv(4096))
    assert "cp" in answer["failed"]
