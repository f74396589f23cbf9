"""Name the environment variables by which any AWS client finds the local cloud."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from contracts.infra import DEFAULT_REGION

_LOOPBACK = "127.0.0.1"


def environment(
    *, aws_url: str, imagebuilder_url: str, ssh_config: Path, prefix: Path, state_dir: Path, outer: Mapping[str, str]
) -> dict[str, str]:
    """The variables.

    `prefix` is the Python environment the images of this cloud already hold, `state_dir` keeps what Rampart knows of
    the events rehearsed here apart from the same events on AWS, `outer` are this process's own variables.
    """
    return {
        "AWS_ENDPOINT_URL": aws_url,
        "AWS_ENDPOINT_URL_IMAGEBUILDER": imagebuilder_url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": DEFAULT_REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "RAMPART_SSH_CONFIG": str(ssh_config),
        "RAMPART_ALLOWED_CIDR": "127.0.0.0/8",
        "RAMPART_IMAGE_ENVIRONMENT": "existing",
        "RAMPART_IMAGE_PREFIX": str(prefix),
        "RAMPART_STATE_DIR": str(state_dir),
        **_around_proxies(outer),
    }


def _around_proxies(outer: Mapping[str, str]) -> dict[str, str]:
    """Where a proxy is set, loopback must be excepted from it, in the spelling that counts for each tool."""
    if not any(outer.get(name) for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")):
        return {}
    excepted = outer.get("no_proxy") or outer.get("NO_PROXY") or ""
    value = ",".join([*(name for name in excepted.split(",") if name and name != _LOOPBACK), _LOOPBACK])
    return {"NO_PROXY": value, "no_proxy": value}


def this_prefix() -> Path:
    """The environment this process runs in."""
    return Path(sys.prefix)


def as_exports(variables: Mapping[str, str]) -> str:
    """Lines for a shell's `eval`."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
