"""One Image Builder per test process."""

from __future__ import annotations

import pytest

from tests.integration.clouds import Cloud
from tests.integration.localcloud.imagebuilder.builders import PROFILE, Builder


@pytest.fixture(scope="session")
def builder(cloud: Cloud) -> Builder:
    """The local cloud's Image Builder, with the instance profile its instances need."""
    cloud.client("iam").create_instance_profile(InstanceProfileName=PROFILE)
    return Builder(cloud, cloud.client("imagebuilder"))
