"""Each of the switches that need no dispatcher ends an instance of the local cloud alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from invoke.context import Context
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends

from clients.aws.ec2 import Ec2
from clients.keys import new_host_key
from contracts.host_boot import HostKey, render_user_data
from contracts.infra import DEFAULT_REGION
from contracts.instance import Instance, LaunchRequest, Pool
from runner.reaping.reaper import Outcome, Reaper
from tasks.reaping import reap
from tests.integration.clouds import Cloud
from tests.integration.localcloud.test_cloud_life import until

pytestmark = pytest.mark.usefixtures("aws_environment")
REPOSITORY = Path(__file__).resolve().parents[3]
OVER = "2026-01-01T00:00:00+00:00"
Launch = Callable[..., Instance]


@pytest.fixture
def ec2(cloud: Cloud) -> Ec2:
    return Ec2.in_region(cloud.environment["AWS_DEFAULT_REGION"])


@pytest.fixture
def launch(cloud: Cloud, ec2: Ec2) -> Iterator[Launch]:
    """Launch as the host pool does, with tags of the test's choice; all are ended afterwards."""
    launched: list[str] = []

    def make(stack: str, *, user_data: str = "", **tags: str) -> Instance:
        more = {f"rampart:{name.replace('_', '-')}": value for name, value in tags.items()}
        request = LaunchRequest(
            image_id=cloud.image(),
            client_token=f"{stack}-{len(launched)}",
            tags={"rampart:stack": stack, "rampart:event": "iris", **more},
            pools=(Pool("t3.small"),),
            user_data=user_data,
        )
        launched.extend(ec2.launch(request).instance_ids)
        found = ec2.instance(launched[-1])
        assert found is not None
        return found

    yield make
    ec2.terminate(launched)


def has_ended(ec2: Ec2, instance: Instance) -> bool:
    found = ec2.instance(instance.instance_id)
    return found is None or found.has_ended


def test_an_instance_past_its_deadline_is_ended_and_a_fresh_kept_or_foreign_one_is_not(
    ec2: Ec2, launch: Launch
) -> None:
    over = launch("reaped", expires_at=OVER)
    others = [
        launch("reaped", expires_at=(datetime.now(UTC) + timedelta(hours=2)).isoformat()),
        launch("reaped", expires_at=OVER, keep="yes"),
        launch("another", expires_at=OVER),
    ]
    at_once = Reaper(ec2, stack="reaped", now=lambda: datetime.now(UTC), sleep=lambda _: None)
    assert at_once.doomed(at_once.live()) == (), "it was launched a moment ago"
    later = Reaper(ec2, stack="reaped", now=lambda: datetime.now(UTC) + timedelta(hours=1), sleep=lambda _: None)
    marked = later.doomed(later.live())
    assert [each.instance.instance_id for each in marked] == [over.instance_id]
    assert [fate.outcome for fate in later.end(marked)] == [Outcome.ENDED]
    assert has_ended(ec2, over)
    assert not any(has_ended(ec2, other) for other in others)


def test_the_command_needs_neither_event_file_nor_database(
    ec2: Ec2, launch: Launch, aws_environment: dict[str, str], tmp_path: Path
) -> None:
    over, fresh = launch("forgotten", expires_at=OVER), launch("forgotten", expires_at=OVER)
    _launched_an_hour_ago(over)
    target = ("--stack", "forgotten", "--region", aws_environment["AWS_DEFAULT_REGION"])

    told = _invoke(tmp_path, "reap", *target)
    assert told.returncode == 0, told.stderr
    assert over.instance_id in told.stdout
    assert "would be ended" in told.stdout
    assert fresh.instance_id not in told.stdout
    assert told.stderr.splitlines()[-1] == f"next: invoke reap {' '.join(target)} --yes"
    assert not has_ended(ec2, over)

    ended = _invoke(tmp_path, "reap", *target, "--yes", "--interval-s", "0", "--json")
    assert ended.returncode == 0, ended.stderr
    assert [(row["instance"], row["outcome"]) for row in json.loads(ended.stdout)] == [(over.instance_id, "ended")]
    assert has_ended(ec2, over)
    assert not has_ended(ec2, fresh)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_ended_is_told_and_the_command_fails(
    cloud: Cloud, ec2: Ec2, launch: Launch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    over, protected = launch("stubborn", expires_at=OVER), launch("stubborn", expires_at=OVER)
    _launched_an_hour_ago(over, protected)
    protect = partial(cloud.client("ec2").modify_instance_attribute, InstanceId=protected.instance_id)
    protect(DisableApiTermination={"Value": True})
    monkeypatch.setattr("runner.reaping.reaper._PAUSES_S", (0.0,))
    with pytest.raises(SystemExit, match="1"):
        reap(Context(), stack="stubborn", region=DEFAULT_REGION, yes=True, interval_s="0")
    protect(DisableApiTermination={"Value": False})
    assert has_ended(ec2, over)
    told = capsys.readouterr()
    assert f"{protected.instance_id}: could not terminate instances" in told.err
    assert "1 of 2 instances could not be ended" in told.err
    hint = f"hint: try again: invoke reap --stack stubborn --region {DEFAULT_REGION} --yes"
    assert told.err.splitlines()[-1] == hint


def test_an_event_stands_for_the_stack_of_its_name_in_its_region(
    launch: Launch, capsys: pytest.CaptureFixture[str]
) -> None:
    over = launch("iris", expires_at=OVER)
    _launched_an_hour_ago(over)
    event = str(REPOSITORY / "events" / "iris" / "config.yml")
    reap(Context(), event=event)
    told = capsys.readouterr()
    assert over.instance_id in told.out
    assert told.err.splitlines()[-1] == f"next: invoke reap --event {event} --yes"


@pytest.mark.parametrize(
    "asked",
    [
        {"stack": "iris"},
        {"stack": "", "region": DEFAULT_REGION},
        {"event": "iris", "stack": "iris", "region": DEFAULT_REGION},
        {"stack": "iris", "region": DEFAULT_REGION, "interval_s": "-1"},
        {"stack": "iris", "region": DEFAULT_REGION, "interval_s": "soon"},
    ],
)
def test_a_command_that_does_not_say_clearly_what_to_reap_is_refused(
    asked: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        reap(Context(), yes=True, **asked)
    assert capsys.readouterr().err.splitlines()[-1].startswith("hint: ")


def test_the_deadline_in_the_user_data_ends_an_instance_alone(cloud: Cloud, launch: Launch) -> None:
    private, public = new_host_key()
    user_data = render_user_data(host_key=HostKey(private, public), lifetime_s=60)
    assert user_data.count("'+1'") == 1  # a minute is the shortest it can say
    launched = launch("alone", user_data=user_data.replace("'+1'", "now"))
    ended = until(cloud, launched.instance_id, "terminated")
    assert ended["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def _launched_an_hour_ago(*instances: Instance) -> None:
    for instance in instances:
        known = ec2_backends[DEFAULT_ACCOUNT_ID][DEFAULT_REGION].get_instance(instance.instance_id)
        known.launch_time -= timedelta(hours=1)


def _invoke(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("invoke")), "--search-root", str(REPOSITORY), *words]
    return subprocess.run(
        command, cwd=folder, env=dict(os.environ), capture_output=True, text=True, timeout=60, check=False
    )
