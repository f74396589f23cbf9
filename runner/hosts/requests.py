"""Write the request that launches hosts for some runs."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from contracts.host_boot import MARGIN_S, HostKey, render_user_data
from contracts.instance import LAUNCH_TAG, LaunchRequest, Pool
from contracts.work import Claimed
from runner.hosts.settings import LaunchSettings


def launch_request(
    runs: Sequence[Claimed],
    settings: LaunchSettings,
    host_key: HostKey,
    *,
    image_id: str,
    pools: Sequence[Pool],
    spot: bool,
    now: datetime,
) -> LaunchRequest:
    """Ask for one host for each run. The token follows from runs and parameters: EC2 refuses it with others."""
    lifetime_s = settings.boot_timeout_s + max(one.work.timeout_s for one in runs) + MARGIN_S
    request = LaunchRequest(
        image_id=image_id,
        client_token="",
        tags={
            "Name": f"rampart-{settings.event}",
            "rampart:stack": settings.stack,
            "rampart:event": settings.event,
            "rampart:expires-at": (now + timedelta(seconds=lifetime_s)).isoformat(timespec="seconds"),
        },
        pools=tuple(pools),
        count=len(runs),
        user_data=render_user_data(
            lifetime_s=lifetime_s,
            user=settings.user,
            host_key=host_key,
        ),
        launch_template_id=settings.launch_template_id,
        key_name=settings.key_name,
        security_group_id=settings.security_group_id,
        spot=spot,
    )
    token = _token(settings.stack, runs, request)
    return dataclasses.replace(request, client_token=token, tags=request.tags | {LAUNCH_TAG: token[:32]})


def _token(stack: str, runs: Sequence[Claimed], request: LaunchRequest) -> str:
    """64 letters. The host key is in the user data, so that no two launches that were decided on have the same."""
    ids = sorted(f"{one.work.submission_id}/{one.work.attempt}/{one.claimed_at.isoformat()}" for one in runs)
    text = "\n".join([stack, *ids, repr(request), request.user_data])
    return hashlib.sha256(text.encode()).hexdigest()
