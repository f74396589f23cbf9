"""What an instance learns about itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

import pytest

from localcloud import metadata
from localcloud.instances import Description, Notices
from localcloud.small_http import Reply, Request

ABOUT = Description(
    instance_id="i-1",
    image_id="ami-1",
    instance_type="t3.small",
    private_address="127.20.0.1",
    public_address="127.20.0.1",
    hostname="ip-127-20-0-1",
    region="eu-west-3",
    zone="eu-west-3a",
    account_id="123456789012",
    life_cycle="spot",
    launch_index=0,
    public_key="ssh-ed25519 AAAA me",
    security_groups=("default",),
    shown_tags=None,
    user_data=b"#cloud-config\n",
)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def ask(service: metadata.MetadataService, method: str, path: str, headers: Mapping[str, str] | None = None) -> Reply:
    return asyncio.run(service.handle(Request(method, path, dict(headers or {}))))


def token_of(service: metadata.MetadataService, ttl: str = "60") -> dict[str, str]:
    reply = ask(service, "PUT", "/latest/api/token", {"x-aws-ec2-metadata-token-ttl-seconds": ttl})
    return {"x-aws-ec2-metadata-token": reply.body.decode()}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(clock: Clock) -> metadata.MetadataService:
    return metadata.MetadataService(lambda: metadata.lay_out(ABOUT, Notices()), clock=clock)


def test_nothing_is_told_without_a_token(service: metadata.MetadataService) -> None:
    assert ask(service, "GET", "/latest/meta-data/instance-id").status == HTTPStatus.UNAUTHORIZED


def test_a_token_opens_the_metadata_until_its_time_is_over(service: metadata.MetadataService, clock: Clock) -> None:
    token = token_of(service)
    assert ask(service, "GET", "/latest/meta-data/instance-id", token).body == b"i-1"
    clock.now += 60
    assert ask(service, "GET", "/latest/meta-data/instance-id", token).status == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize("ttl", ["", "0", "21601", "-1", "ten"])
def test_a_token_needs_a_sane_lifetime(service: metadata.MetadataService, ttl: str) -> None:
    reply = ask(service, "PUT", "/latest/api/token", {"x-aws-ec2-metadata-token-ttl-seconds": ttl})
    assert reply.status == HTTPStatus.BAD_REQUEST


def test_a_forwarded_request_gets_no_token(service: metadata.MetadataService) -> None:
    headers = {"x-aws-ec2-metadata-token-ttl-seconds": "60", "x-forwarded-for": "192.0.2.1"}
    assert ask(service, "PUT", "/latest/api/token", headers).status == HTTPStatus.BAD_REQUEST


def test_a_folder_lists_its_names(service: metadata.MetadataService) -> None:
    listed = ask(service, "GET", "/latest/meta-data/placement/", token_of(service)).body.decode().split()
    assert listed == ["availability-zone", "region"]
    top = ask(service, "GET", "/latest/", token_of(service)).body.decode().split()
    assert top == ["dynamic/", "meta-data/", "user-data"]


def test_user_data_comes_back_as_it_was_given() -> None:
    about = replace(ABOUT, user_data=b"\x1f\x8b\xff binary")
    assert metadata.look_up(metadata.lay_out(about, Notices()), "/latest/user-data").body == about.user_data


def test_a_notice_exists_only_once_it_was_given(service: metadata.MetadataService) -> None:
    token = token_of(service)
    for path in ("spot/instance-action", "events/recommendations/rebalance"):
        assert ask(service, "GET", f"/latest/meta-data/{path}", token).status == HTTPStatus.NOT_FOUND
    given = metadata.lay_out(ABOUT, Notices("2026-01-01T00:02:00Z", "2026-01-01T00:00:00Z"))
    action = json.loads(given["meta-data/spot/instance-action"])
    assert action == {"action": "terminate", "time": "2026-01-01T00:02:00Z"}
    assert json.loads(given["meta-data/events/recommendations/rebalance"]) == {"noticeTime": "2026-01-01T00:00:00Z"}


def test_tags_are_shown_only_where_the_launch_says_so() -> None:
    hidden = metadata.lay_out(ABOUT, Notices())
    shown = metadata.lay_out(replace(ABOUT, shown_tags={"rampart:event": "iris"}), Notices())
    assert not any("tags" in path for path in hidden)
    assert shown["meta-data/tags/instance/rampart:event"] == "iris"
