"""Ask AWS who we are, and whether it knows a key pair."""

from __future__ import annotations

from typing import Any

from clients.aws.session import client_of, translated
from contracts.errors import CloudError


def identity(session: Any) -> str:
    """Give the ARN that our credentials stand for. Raises CloudError."""
    with translated("ask who we are"):
        return str(client_of(session, "sts").get_caller_identity()["Arn"])


def has_key_pair(session: Any, name: str) -> bool:
    """Whether the region has a key pair of that name. Raises CloudError."""
    try:
        with translated("look up the key pair"):
            client_of(session, "ec2").describe_key_pairs(KeyNames=[name])
    except CloudError as error:
        if error.code == "InvalidKeyPair.NotFound":
            return False
        raise
    return True
