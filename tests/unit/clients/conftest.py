"""Let tests say what EC2 answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber


class Ec2Session:
    """A session whose EC2 client answers what a test told it; botocore's model checks what it was asked."""

    def __init__(self) -> None:
        self.ec2 = boto3.client(
            "ec2", region_name="eu-west-3", aws_access_key_id="testing", aws_secret_access_key="testing"
        )
        self.stub = Stubber(self.ec2)

    def client(self, service: str, **_: Any) -> Any:
        assert service == "ec2"
        return self.ec2


@pytest.fixture
def ec2_session() -> Iterator[Ec2Session]:
    """One that a test has to be done with: nothing it was told to answer is left unasked."""
    made = Ec2Session()
    with made.stub:
        yield made
        made.stub.assert_no_pending_responses()
