"""Open boto3 clients on the local cloud, and on nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config

from contracts.errors import AskedWrongly
from contracts.infra import DEFAULT_REGION

_CONFIG = Config(
    proxies={},  # the local cloud is on loopback, whatever proxy this machine uses
    retries={"mode": "standard", "max_attempts": 3},
    connect_timeout=5,
    read_timeout=60,
)
_NO_FILES = {
    # AWS's own files and profiles are a person's: the local cloud never reads them.
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


class Connection:
    """Clients by service and region, at the endpoints an environment names.

    Raises AskedWrongly when an endpoint is missing or not on this machine: what is deployed here must never reach AWS.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.default_region = environment.get("AWS_DEFAULT_REGION", DEFAULT_REGION)
        self._clients: dict[tuple[str, str], Any] = {}
        self._endpoint("ec2")
        session = botocore.session.Session(session_vars=_NO_FILES)
        self._session = boto3.Session(
            aws_access_key_id=environment.get("AWS_ACCESS_KEY_ID", "local"),
            aws_secret_access_key=environment.get("AWS_SECRET_ACCESS_KEY", "local"),
            botocore_session=session,
            region_name=self.default_region,
        )

    def client(self, service: str, region: str) -> Any:
        """Give the client of a service in a region; opened once."""
        if (service, region) not in self._clients:
            self._clients[service, region] = self._session.client(
                service,  # type: ignore[call-overload]  # one of many literals
                region_name=region,
                endpoint_url=self._endpoint(service),
                config=_CONFIG,
            )
        return self._clients[service, region]

    def close(self) -> None:
        """Close every connection that is open."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def _endpoint(self, service: str) -> str:
        own = self._environment.get(f"AWS_ENDPOINT_URL_{service.upper()}")
        url = own or self._environment.get("AWS_ENDPOINT_URL", "")
        if not _is_on_this_machine(url):
            found = f"the endpoint of {service} is {url}" if url else f"no endpoint of {service} is given"
            raise AskedWrongly(
                f"{found}, but this deployer works on the local cloud only",
                hint='eval "$(python -m localcloud env)", or deploy to AWS with pulumi up',
            )
        return url


def _is_on_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
