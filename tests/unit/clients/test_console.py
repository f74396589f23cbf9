"""A host key is taken from a console only where cloud-init has shown it whole."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from clients.aws.console import Console, host_key_from_console
from contracts.errors import CloudError, HostKeyRefused

DATA = Path(__file__).parents[2] / "data" / "console"
INSTANCE = "i-0123456789abcdef0"
BOOTED = (DATA / "only-ed25519.txt").read_text()
KEY = (DATA / "only-ed25519.expected").read_text().strip()


@pytest.mark.parametrize("case", sorted(path.stem for path in DATA.glob("*.txt")))
def test_the_key_is_what_the_console_shows(case: str) -> None:
    text = (DATA / f"{case}.txt").read_text()
    expected = (DATA / f"{case}.expected").read_text().strip()
    if expected.startswith("refused: "):
        with pytest.raises(HostKeyRefused, match=expected.removeprefix("refused: ")):
            host_key_from_console(text)
    else:
        assert host_key_from_console(text) == expected


class Ec2:
    """A session whose EC2 client answers what a test told it; time passes when somebody sleeps."""

    def __init__(self) -> None:
        self.client_made = boto3.client("ec2", "eu-west-3", aws_access_key_id="testing", aws_secret_access_key="t")
        self.stub = Stubber(self.client_made)
        self.slept: list[float] = []

    def client(self, _service: str, **_: Any) -> Any:
        return self.client_made

    def shows(self, text: str | None, *, latest: bool = True) -> None:
        asked = {"InstanceId": INSTANCE} | ({"Latest": True} if latest else {})
        answer = {} if text is None else {"Output": base64.b64encode(text.encode()).decode()}  # as EC2 sends it
        self.stub.add_response("get_console_output", answer, asked)

    def console(self) -> Console:
        return Console(self, sleep=self.slept.append, clock=lambda: sum(self.slept))


@pytest.fixture
def ec2() -> Ec2:
    made = Ec2()
    made.stub.activate()
    return made


def test_the_console_is_read_until_it_shows_the_key(ec2: Ec2) -> None:
    for text in (None, "booting\n", BOOTED):
        ec2.shows(text)
    assert ec2.console().host_key(INSTANCE) == KEY
    assert len(ec2.slept) == 2


def test_patience_ends(ec2: Ec2) -> None:
    for _ in range(4):
        ec2.shows("booting\n")
    assert ec2.console().host_key(INSTANCE, patience_s=16) == ""
    assert sum(ec2.slept) <= 16


def test_without_patience_it_is_read_once(ec2: Ec2) -> None:
    ec2.shows("booting\n")
    assert ec2.console().host_key(INSTANCE, patience_s=0) == ""
    assert ec2.slept == []


def test_a_machine_that_is_not_nitro_is_asked_for_what_was_kept(ec2: Ec2) -> None:
    ec2.stub.add_client_error("get_console_output", "UnsupportedOperation", "not Nitro")
    ec2.shows("booting\n", latest=False)
    ec2.shows(BOOTED, latest=False)
    assert ec2.console().host_key(INSTANCE) == KEY


def test_what_ec2_refuses_is_told(ec2: Ec2) -> None:
    ec2.stub.add_client_error("get_console_output", "UnauthorizedOperation", "not you")
    with pytest.raises(CloudError, match=f"could not read the console of {INSTANCE}: not you") as caught:
        ec2.console().host_key(INSTANCE)
    assert "permission" in caught.value.hint


def test_a_console_with_two_keys_ends_the_waiting(ec2: Ec2) -> None:
    ec2.shows((DATA / "two-keys.txt").read_text())
    with pytest.raises(HostKeyRefused):
        ec2.console().host_key(INSTANCE)
