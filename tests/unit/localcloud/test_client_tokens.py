"""A launch asked for twice happens once."""

from __future__ import annotations

from typing import Any

import pytest
from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError

from localcloud.client_tokens import ClientTokens


class Response:
    """A call as moto's response classes see it."""

    def __init__(self, *, action: str = "RunInstances", region: str = "eu-west-3", **parameters: str) -> None:
        self.data = {"Action": action, **parameters}
        self.region = region
        self.current_account = "123456789012"

    def _get_action(self) -> str:
        return self.data["Action"]

    def _get_param(self, name: str) -> str | None:
        return self.data.get(name)


class Launches:
    count = 0

    def __call__(self, _response: Any) -> ActionResult:
        self.count += 1
        return ActionResult({"n": self.count})


def test_the_same_call_with_the_same_token_launches_once() -> None:
    tokens, launches = ClientTokens(), Launches()
    first = tokens._once(launches, Response(ClientToken="t", MaxCount="2"))
    second = tokens._once(launches, Response(ClientToken="t", MaxCount="2"))
    assert launches.count == 1
    assert second is first


def test_the_same_token_with_other_parameters_is_refused() -> None:
    tokens, launches = ClientTokens(), Launches()
    tokens._once(launches, Response(ClientToken="t", MaxCount="2"))
    with pytest.raises(EC2ClientError) as refused:
        tokens._once(launches, Response(ClientToken="t", MaxCount="3"))
    assert refused.value.code == "IdempotentParameterMismatch"


def test_a_token_counts_in_its_region_only() -> None:
    tokens, launches = ClientTokens(), Launches()
    tokens._once(launches, Response(ClientToken="t"))
    tokens._once(launches, Response(ClientToken="t", region="us-east-1"))
    assert launches.count == 2


def test_a_token_counts_for_its_action_only() -> None:
    tokens, launches = ClientTokens(), Launches()
    tokens._once(launches, Response(ClientToken="t"))
    tokens._once(launches, Response(ClientToken="t", action="CreateFleet"))
    assert launches.count == 2


def test_a_launch_that_failed_is_tried_again() -> None:
    tokens, launches = ClientTokens(), Launches()

    def refuse(_response: Any) -> ActionResult:
        raise EC2ClientError("InsufficientInstanceCapacity", "full")

    with pytest.raises(EC2ClientError):
        tokens._once(refuse, Response(ClientToken="t"))
    tokens._once(launches, Response(ClientToken="t"))
    assert launches.count == 1


def test_calls_without_a_token_are_all_different() -> None:
    tokens, launches = ClientTokens(), Launches()
    tokens._once(launches, Response())
    tokens._once(launches, Response())
    assert launches.count == 2
