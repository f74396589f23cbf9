"""What a submission finds in its host's user data is worth nothing; who shows another key is found out and ended."""

from __future__ import annotations

import base64
import dataclasses
import shlex
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from clients import ssh
from clients.aws.ec2 import Ec2
from clients.keys import new_host_key
from contracts.errors import HostKeyRefused
from contracts.host_boot import HostKey
from contracts.work import Adopted, Claimed, Provisioned
from runner.flow import Run, Surroundings
from runner.hosts import Ec2Hosts, LaunchSettings
from runner.interruption import Interruption
from runner.progress import Progress, SecurityEvent
from tests import filled_database
from tests.contract import store_fixtures
from tests.contract.store_fixtures import Bench
from tests.integration.clouds import KEY_NAME, Cloud

pytestmark = pytest.mark.usefixtures("aws_environment")
STACK = "own-host-keys"
ANOTHER_KEY = """set -e
rm /etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
systemctl reload ssh
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    url = filled_database.place(tmp_path / "database" / "event.db")
    with store_fixtures.sql_bench(tmp_path, url) as bench:
        yield bench


@pytest.fixture
def told() -> list[Progress]:
    return []


@pytest.fixture
def hosts(cloud: Cloud, bench: Bench, told: list[Progress], monkeypatch: pytest.MonkeyPatch) -> Ec2Hosts:
    """A host pool whose launches are kept in the database."""
    if cloud.local.level == "plain":
        pytest.skip("machines at the level plain have no /etc of their own, and so no key of their own")
    # this machine's image holds no kit: where it lies is another test's matter
    monkeypatch.setattr("runner.hosts.booting.find_layout", lambda *_, **__: store_fixtures.LAYOUT)
    settings = LaunchSettings(
        stack=STACK, event="iris", problem="iris", instance_type="t3.medium", user="ubuntu",
        key_path=cloud.key_path, key_name=KEY_NAME, boot_timeout_s=20.0,
    )  # fmt: skip
    return Ec2Hosts(
        settings,
        Ec2.in_region(cloud.environment["AWS_DEFAULT_REGION"]),
        image=cloud.image,
        connect=partial(ssh.connect, ssh_config=cloud.ssh_config),
        new_host_key=lambda: HostKey(*new_host_key()),
        now=lambda: datetime.now(UTC),
        interruption=Interruption(),
        launches=bench.store,
        observe=told.append,
    )


@pytest.fixture
def claimed(bench: Bench) -> Claimed:
    bench.submit("one")
    return bench.claim()


@pytest.fixture
def provisioned(hosts: Ec2Hosts, claimed: Claimed) -> Iterator[Provisioned]:
    found = hosts.acquire(claimed)
    yield found
    hosts.release(found)


def user_data(cloud: Cloud, instance_id: str) -> dict[str, Any]:
    """What every process on the instance can read of it."""
    asked = {"InstanceId": instance_id, "Attribute": "userData"}
    encoded = cloud.client("ec2").describe_instance_attribute(**asked)["UserData"]["Value"]
    config: dict[str, Any] = yaml.safe_load(base64.b64decode(encoded))
    return config


def test_the_key_in_the_user_data_is_dead_before_anything_is_pushed_and_no_secret_is_kept(
    cloud: Cloud, hosts: Ec2Hosts, bench: Bench, provisioned: Provisioned
) -> None:
    host = provisioned.host
    keys = user_data(cloud, host.host_id)["ssh_keys"]
    assert keys["ed25519_public"] != host.host_key
    with pytest.raises(HostKeyRefused):
        ssh.connect(dataclasses.replace(host, host_key=keys["ed25519_public"]), ssh_config=cloud.ssh_config)
    assert bench.books.host_key(host.host_id) == host.host_key  # type: ignore[attr-defined]
    assert keys["ed25519_private"].splitlines()[1] not in everything_in(bench)
    described = cloud.describe(host.host_id)
    assert "IamInstanceProfile" not in described
    assert described["MetadataOptions"]["HttpTokens"] == "required"
    assert described["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert described["MetadataOptions"]["InstanceMetadataTags"] == "disabled"

    cloud.client("ec2").reboot_instances(InstanceIds=[host.host_id])
    transport = hosts.connect(provisioned)
    assert transport.run(["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]).text.split()[:2] == host.host_key.split()
    transport.close()


def everything_in(bench: Bench) -> str:
    """All rows of all tables, as text."""
    assert bench.database is not None
    with bench.database.reading() as connection:
        names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
        rows = [row for name in names for row in connection.exec_driver_sql(f"SELECT * FROM {name}").all()]  # noqa: S608
    assert rows
    return repr(rows)


def await_refusal(cloud: Cloud, provisioned: Provisioned) -> None:
    """Its SSH server reads the new key while whoever told it to goes on."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            ssh.connect(provisioned.host, ssh_config=cloud.ssh_config).close()
        except HostKeyRefused:
            return
    raise AssertionError("the new key was never shown")


def test_a_host_that_shows_another_key_in_the_midst_of_its_run_is_refused_told_and_ended(
    cloud: Cloud, hosts: Ec2Hosts, bench: Bench, told: list[Progress], provisioned: Provisioned
) -> None:
    host_id, address = provisioned.host.host_id, provisioned.host.address
    assert cloud.ssh(address, f"sudo -n sh -c {shlex.quote(ANOTHER_KEY)}").returncode == 0
    await_refusal(cloud, provisioned)
    interruption = Interruption()
    around = Surroundings(hosts, bench.store, interruption, lambda: datetime.now(UTC), told.append)
    Run(Adopted(provisioned), around, interruption).to_its_end()
    assert SecurityEvent("iris", "host-key-refused", host_id) in told
    assert cloud.describe(host_id)["State"]["Name"] == "terminated"
    (row,) = bench.books.submissions("iris")
    assert (row.state, "wrong host key" in row.held) == ("new", True)
