"""Name the environment variables by which any AWS client finds the local cloud."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

DEFAULT_REGION = "us-east-1"


def environment(*, aws_url: str, imagebuilder_url: str, ssh_config: Path, prefix: Path) -> dict[str, str]:
    """The variables; `prefix` is the Python environment the images of this cloud already hold."""
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
    }


def this_prefix() -> Path:
    """The environment this process runs in."""
    return Path(sys.prefix)


def as_exports(variables: Mapping[str, str]) -> str:
    """Lines for a shell's `eval`."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
