"""Use a local cloud as an outsider does: by its environment alone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from clients.keys import new_host_key
from contracts.work import HostAddress
from localcloud import LocalCloud

KEY_NAME = "tests"
UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"


@dataclass(frozen=True)
class Cloud:
    """A running local cloud, a key pair imported there, and the usual calls."""

    local: LocalCloud
    key_path: Path
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return self.local.environment

    def client(self, service: str) -> Any:
        if service not in self._clients:  # half a second each, most of it for reading the service's model
            self._clients[service] = client_of(self.environment, service)
        return self._clients[service]

    @property
    def ssh_config(self) -> Path:
        """What `clients.ssh` needs to know of the names and ports here."""
        return Path(self.environment["RAMPART_SSH_CONFIG"])

    def ssh_command(self, address: str, *command: str, options: tuple[str, ...] = ()) -> list[str]:
        config = self.environment["RAMPART_SSH_CONFIG"]
        # -F given: nothing of the tester's own ~/.ssh is read but keys, and IdentitiesOnly excludes those
        return ["ssh", "-F", config, "-o", "IdentitiesOnly=yes", "-i", str(self.key_path), *options, address, *command]

    def ssh(self, address: str, command: str, *, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.ssh_command(address, command), input=stdin, capture_output=True, timeout=60, check=False
        )

    def image(self) -> str:
        image_id: str = self.client("ssm").get_parameter(Name=UBUNTU)["Parameter"]["Value"]
        return image_id

    def launch(self, **parameters: Any) -> dict[str, Any]:
        """Run one instance with the tests' key pair; gives what describe_instances says of it."""
        asked = {"ImageId": self.image(), "InstanceType": "t3.small", "KeyName": KEY_NAME, **parameters}
        answer = self.client("ec2").run_instances(MinCount=1, MaxCount=1, **asked)
        return self.describe(answer["Instances"][0]["InstanceId"])

    def launch_known(self) -> HostAddress:
        """Run one instance that shows a host key of our making; gives the way to it, for `clients.ssh`."""
        private, public = new_host_key()
        keys = {"ssh_deletekeys": True, "ssh_keys": {"ed25519_private": private, "ed25519_public": public}}
        found = self.launch(UserData=f"#cloud-config\n{json.dumps(keys)}")
        return HostAddress(found["InstanceId"], found["PublicIpAddress"], "ubuntu", 22, public, self.key_path)

    def describe(self, instance_id: str) -> dict[str, Any]:
        answer = self.client("ec2").describe_instances(InstanceIds=[instance_id])
        instance: dict[str, Any] = answer["Reservations"][0]["Instances"][0]
        return instance

    def terminate(self, *instance_ids: str) -> None:
        self.client("ec2").terminate_instances(InstanceIds=list(instance_ids))


def client_of(environment: Mapping[str, str], service: str) -> Any:
    """A client of the local cloud that does not touch this process's environment."""
    url = environment["AWS_ENDPOINT_URL_IMAGEBUILDER" if service == "imagebuilder" else "AWS_ENDPOINT_URL"]
    session = boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_DEFAULT_REGION"],
    )
    client: Any = session.client(service, endpoint_url=url)  # type: ignore[call-overload]
    return client
