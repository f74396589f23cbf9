"""Open clients of the local cloud's other services."""

from __future__ import annotations

import threading
from typing import Any

import boto3
from botocore.config import Config

_PATIENCE = Config(
    connect_timeout=5,
    read_timeout=60,
    retries={"mode": "standard", "max_attempts": 4},
    s3={"addressing_style": "path"},
    proxies={},  # the local cloud is on loopback, whatever proxy this machine uses
    user_agent_extra="rampart-imagebuilder",
)

_NOBODY = "imagebuilder"  # the local cloud asks for a signature, whoever's it is


class Clients:
    """boto3 clients of one endpoint, each made once; clients may be shared by threads, making them may not."""

    def __init__(self, endpoint: str, region: str) -> None:
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._session = boto3.Session(aws_access_key_id=_NOBODY, aws_secret_access_key=_NOBODY, region_name=region)
        self._made: dict[str, Any] = {}

    def of(self, service: Any) -> Any:
        """The client of a service."""
        with self._lock:
            if service not in self._made:
                self._made[service] = self._session.client(service, endpoint_url=self._endpoint, config=_PATIENCE)
            return self._made[service]

    def close(self) -> None:
        """Close the connections of all clients."""
        with self._lock:
            for client in self._made.values():
                client.close()
            self._made.clear()
