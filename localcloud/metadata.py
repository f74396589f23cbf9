"""Answer what an instance asks about itself: the instance metadata service, version 2 only."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus

from localcloud.instances import Description, Notices
from localcloud.small_http import Reply, Request

_TOKEN_PATH = "/latest/api/token"  # noqa: S105 (a path, not a secret)
_TTL_LIMIT_S = 21600

Facts = Callable[[], Mapping[str, str]]


class MetadataService:
    """One instance's metadata. `facts` gives the present values by path below `/latest/`, without a slash in front."""

    def __init__(self, facts: Facts, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._facts = facts
        self._clock = clock
        self._tokens: dict[str, float] = {}

    async def handle(self, request: Request) -> Reply:
        if request.path == _TOKEN_PATH:
            return self._token(request)
        if request.method != "GET":
            return Reply(HTTPStatus.METHOD_NOT_ALLOWED)
        if self._clock() >= self._tokens.get(request.headers.get("x-aws-ec2-metadata-token", ""), 0.0):
            return Reply(HTTPStatus.UNAUTHORIZED)
        return look_up(self._facts(), request.path)

    def _token(self, request: Request) -> Reply:
        ttl = request.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        if request.method != "PUT":
            return Reply(HTTPStatus.METHOD_NOT_ALLOWED)
        if not ttl.isdecimal() or not 1 <= int(ttl) <= _TTL_LIMIT_S or "x-forwarded-for" in request.headers:
            return Reply(HTTPStatus.BAD_REQUEST)
        now = self._clock()
        self._tokens = {token: end for token, end in self._tokens.items() if end > now}
        token = secrets.token_urlsafe(40)
        self._tokens[token] = now + int(ttl)
        return Reply(body=token.encode(), headers={"X-aws-ec2-metadata-token-ttl-seconds": ttl})


def look_up(facts: Mapping[str, str], path: str) -> Reply:
    """A value, or for a folder the names in it, folders with a slash at the end; else 404."""
    wanted = path.removeprefix("/latest").strip("/")
    if wanted in facts:
        return Reply(body=facts[wanted].encode("utf-8", errors="surrogateescape"))
    below = f"{wanted}/" if wanted else ""
    names: dict[str, None] = {}
    for name in sorted(facts):
        if name.startswith(below):
            first, slash, _rest = name.removeprefix(below).partition("/")
            names[first + slash] = None
    return Reply(body="\n".join(names).encode()) if names else Reply(HTTPStatus.NOT_FOUND)


def lay_out(about: Description, notices: Notices) -> dict[str, str]:
    """The values by path, as AWS lays them out; a notice that was not given has no path."""
    meta = {
        "ami-id": about.image_id,
        "ami-launch-index": str(about.launch_index),
        "hostname": about.hostname,
        "instance-id": about.instance_id,
        "instance-life-cycle": about.life_cycle,
        "instance-type": about.instance_type,
        "local-hostname": about.hostname,
        "local-ipv4": about.private_address,
        "placement/availability-zone": about.zone,
        "placement/region": about.region,
        "security-groups": "\n".join(about.security_groups),
    }
    if about.public_address:
        meta["public-ipv4"] = about.public_address
    if about.public_key:
        meta["public-keys/0/openssh-key"] = about.public_key
    if about.shown_tags is not None:
        meta |= {f"tags/instance/{name}": value for name, value in about.shown_tags.items()}
    if notices.interruption_at is not None:
        meta["spot/instance-action"] = json.dumps({"action": "terminate", "time": notices.interruption_at})
        meta["spot/termination-time"] = notices.interruption_at
    if notices.rebalance_at is not None:
        meta["events/recommendations/rebalance"] = json.dumps({"noticeTime": notices.rebalance_at})
    values = {f"meta-data/{name}": value for name, value in meta.items()}
    values["dynamic/instance-identity/document"] = json.dumps(_identity_document(about), indent=2)
    if about.user_data:
        values["user-data"] = about.user_data.decode("utf-8", errors="surrogateescape")
    return values


def _identity_document(about: Description) -> dict[str, str]:
    return {
        "accountId": about.account_id,
        "availabilityZone": about.zone,
        "imageId": about.image_id,
        "instanceId": about.instance_id,
        "instanceType": about.instance_type,
        "privateIp": about.private_address,
        "region": about.region,
    }
