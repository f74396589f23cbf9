"""Open AWS clients for an event: its region, its credentials, bounded waits, and errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from contracts.errors import CloudError
from contracts.event import EventConfig

_PATIENCE = Config(
    retries={"mode": "adaptive", "max_attempts": 8},
    connect_timeout=10,
    read_timeout=60,
    max_pool_connections=32,
    user_agent_extra="rampart",
)

_BROKEN_OFF = frozenset(
    {
        *("InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable"),
        *("ServiceException", "ServiceUnavailableException"),  # as Image Builder says it
    }
)
"""What a service says that failed on the way: it may have done what it was asked."""

_HINTS = {
    "AuthFailure": "check the credentials: aws sts get-caller-identity",
    "UnauthorizedOperation": "the credentials lack a permission; ask the account's administrator for it",
    "AccessDenied": "the credentials lack a permission; ask the account's administrator for it",
    "ExpiredToken": "the credentials ran out: log in again",
    "InvalidClientTokenId": "check the credentials: aws sts get-caller-identity",
    "AuthFailure.ServiceLinkedRoleCreationNotPermitted": "once, by an administrator: "
    "aws iam create-service-linked-role --aws-service-name spot.amazonaws.com",
    "InsufficientInstanceCapacity": "AWS has no such machine free now: wait, or set another worker.instance_type",
    "InvalidBlockDeviceMapping": "a host's disk cannot be smaller than its image's: raise infra.volume_gib",
    "MaxSpotInstanceCountExceeded": "lower dispatcher.n_workers, or ask AWS for a higher quota of spot vCPUs",
    "RequestExpired": "check this machine's clock",
    "RequestLimitExceeded": "AWS throttles this account; it is tried again by itself",
    "Unsupported": "not every zone has every machine: set another worker.instance_type, or infra.network",
    "VcpuLimitExceeded": "lower dispatcher.n_workers, or ask AWS for a higher quota of vCPUs (Service Quotas, EC2)",
}


def session_for(event: EventConfig) -> boto3.Session:
    """Make the one boto3 session of an event.

    Credentials come from the event file where RAMP's keys are set, else from the profile, the environment or the
    instance role, in botocore's own order. Raises CloudError when the profile does not exist.
    """
    worker = event.worker
    with translated("open a session"):
        if worker.access_key_id and worker.secret_access_key:
            return boto3.Session(
                aws_access_key_id=worker.access_key_id.get_secret_value(),
                aws_secret_access_key=worker.secret_access_key.get_secret_value(),
                region_name=event.region,
            )
        return boto3.Session(profile_name=worker.profile_name, region_name=event.region)


def client_of(session: boto3.Session, service: Any, *, region: str | None = None) -> Any:
    """Open a client with our timeouts and retries; endpoints come from the environment, as for any AWS tool.

    `region` is for services that answer in one region for all.
    """
    return session.client(service, region_name=region, config=_PATIENCE)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn botocore's errors into CloudError: `doing` completes the sentence "could not ..."."""
    try:
        yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        code = answer.get("Code", "")
        message = f"could not {doing}: {answer.get('Message', error)} [{code}]"
        is_uncertain = code in _BROKEN_OFF
        raise CloudError(message, code=code, hint=_HINTS.get(code, ""), is_uncertain=is_uncertain) from error
    except NoCredentialsError as error:
        hint = "set AWS_PROFILE or worker.profile_name, or run against the local cloud with --local"
        raise CloudError(f"could not {doing}: no AWS credentials found", code="NoCredentials", hint=hint) from error
    except ProfileNotFound as error:
        raise CloudError(
            f"could not {doing}: {error}", code="ProfileNotFound", hint="aws configure list-profiles"
        ) from error
    except (SSOError, TokenRetrievalError) as error:
        raise CloudError(f"could not {doing}: {error}", code=type(error).__name__, hint="aws sso login") from error
    except EndpointConnectionError as error:
        hint = "check the network, or AWS_ENDPOINT_URL where the local cloud was meant"
        raise CloudError(f"could not {doing}: {error}", code="EndpointConnection", hint=hint) from error
    except BotoCoreError as error:
        is_uncertain = isinstance(error, HTTPClientError)
        raise CloudError(f"could not {doing}: {error}", code=type(error).__name__, is_uncertain=is_uncertain) from error
