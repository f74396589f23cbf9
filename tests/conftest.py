"""Give what tests of several kinds share: settings of property tests, a local cloud per test process."""

from __future__ import annotations

import gc
import os
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:  # the unit tests need neither, and both take long to import
    from localcloud import LocalCloud
    from tests.integration.clouds import Cloud

# what a slow machine or a second run may change of a property test: nothing
settings.register_profile(
    "house",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    # a run that decides over a change tries the same examples every time; everybody else's look for new ones
    derandomize="CI" in os.environ,
    database=None,
)
settings.load_profile("house")


def pytest_collection_finish() -> None:
    """What is imported by now stays to the end, so garbage is not looked for in it, and seldom at all."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session")
def shared_models() -> Iterator[None]:
    """Each of AWS's service models is read once per test process; else every boto3 session reads them anew."""
    from botocore.loaders import JSONFileLoader

    read = cache(JSONFileLoader().load_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _, file_path: read(file_path))
        yield


@pytest.fixture(scope="session")
def local_cloud(shared_models: None) -> Iterator[LocalCloud]:
    """The strongest local cloud this machine can do; one per test process, empty of instances at the start only."""
    from localcloud import LocalCloud

    with LocalCloud() as cloud:
        yield cloud


@pytest.fixture(scope="session")
def cloud(local_cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    """The local cloud with an imported key pair, for plain clients."""
    from tests.integration.clouds import KEY_NAME, Cloud

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
