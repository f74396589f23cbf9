"""Pay once per test process for what is slow: a local cloud, a key pair, clients of it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from localcloud import LocalCloud
from tests.integration.clouds import KEY_NAME, Cloud


@pytest.fixture(scope="session")
def local_cloud() -> Iterator[LocalCloud]:
    """The strongest local cloud this machine can do; one per test process, empty of instances at the start only."""
    with LocalCloud() as cloud:
        yield cloud


@pytest.fixture(scope="session")
def cloud(local_cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    """The local cloud with an imported key pair, for plain clients."""
    key_path = tmp_path_factory.mktemp("key") / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "tests", "-f", str(key_path)], check=True)
    cloud = Cloud(local_cloud, key_path)
    public = key_path.with_suffix(".pub").read_bytes()
    cloud.client("ec2").import_key_pair(KeyName=KEY_NAME, PublicKeyMaterial=public)
    return cloud


@pytest.fixture
def aws_environment(local_cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """This process's environment points at the local cloud for one test."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in local_cloud.environment.items():
        monkeypatch.setenv(name, value)
    return local_cloud.environment
