"""A handler's answers to what AWS says."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from localcloud.deployer.connection import Connection
from localcloud.deployer.handler import Created, Handler, Made, means_gone, or_undone
from tests.unit.localcloud.deployer.conftest import ENVIRONMENT


def _error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "Operation")


def _handler(error: ClientError) -> Handler:
    def refuse(_: Made) -> None:
        raise error

    return Handler(lambda _: Created("", {}), refuse, refuse)


@pytest.fixture(scope="module")
def made() -> Made:
    return Made("vpc-1", "eu-west-3", {}, {}, Connection(ENVIRONMENT))


@pytest.mark.parametrize(
    "code",
    [
        "InvalidVpcID.NotFound",
        "NatGatewayNotFound",
        "NoSuchEntity",
        "ResourceNotFoundException",
        "NoSuchBucket",
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
    ],
)
def test_what_aws_does_not_find_is_gone_and_need_not_be_deleted(code: str, made: Made) -> None:
    assert means_gone(_error(code))
    assert not _handler(_error(code)).exists(made)
    _handler(_error(code)).remove(made)


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "DependencyViolation", ""])
def test_any_other_refusal_is_told(code: str, made: Made) -> None:
    with pytest.raises(ClientError):
        _handler(_error(code)).exists(made)
    with pytest.raises(ClientError):
        _handler(_error(code)).remove(made)


def test_the_first_step_of_a_creation_is_undone_when_a_later_one_is_refused() -> None:
    undone: list[str] = []

    with pytest.raises(ClientError), or_undone(lambda: undone.append("vpc")):
        raise _error("LimitExceeded")
    with or_undone(lambda: undone.append("subnet")):
        pass

    assert undone == ["vpc"]


def test_a_name_of_the_providers_making_begins_as_asked_and_never_comes_twice() -> None:
    handler = Handler(lambda _: Created("", {}), lambda _: True, lambda _: None, name_input="name")
    given = [handler.named("logs", {"namePrefix": "/rampart/iris-"})["name"] for _ in range(2)]
    assert all(name.startswith("/rampart/iris-") for name in given)
    assert given[0] != given[1]
    assert handler.named("logs", {})["name"].startswith("logs-")
    assert handler.named("logs", {"name": "mine"})["name"] == "mine"
