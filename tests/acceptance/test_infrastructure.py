"""An event's infrastructure by the commands a person would type, in a rehearsal."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import REPOSITORY, Deployment, done, running_cloud

CIDR = {"RAMPART_ALLOWED_CIDR": "203.0.113.7/32"}


def write_iris(deployment: Deployment) -> None:
    deployment.write_event((REPOSITORY / "events" / "iris" / "config.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def house(new_deployment: Callable[[str], Deployment]) -> Iterator[Deployment]:
    """A deployment of the example event with a running local cloud in which nothing is deployed yet."""
    deployment = new_deployment("house")
    write_iris(deployment)
    with running_cloud(deployment):
        yield deployment


@pytest.fixture(scope="module")
def foreseen(house: Deployment) -> list[dict[str, str]]:
    """What a preview tells before the first up."""
    return previewed(house)


def previewed(house: Deployment) -> list[dict[str, str]]:
    changes: list[dict[str, str]] = json.loads(done(house.invoke("preview", "--local", "--json")).out)
    return changes


def own_vpcs(house: Deployment) -> list[str]:
    """All but the default one, which every account has."""
    return [vpc["VpcId"] for vpc in house.client("ec2").describe_vpcs()["Vpcs"] if not vpc["IsDefault"]]


def launch_a_host(house: Deployment) -> str:
    """Start an instance as the runner's own launches tag them."""
    ec2 = house.client("ec2")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    tags = [{"Key": "rampart:event", "Value": "iris"}, {"Key": "rampart:launch", "Value": "by-hand"}]
    tagged = [{"ResourceType": "instance", "Tags": tags}]
    launched = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=tagged)
    instance_id: str = launched["Instances"][0]["InstanceId"]
    return instance_id


def test_keys_create_makes_a_pair_for_its_owner_alone_and_replaces_none_unasked(deployment: Deployment) -> None:
    write_iris(deployment)
    private = deployment.folder / ".rampart" / "iris" / "id_ed25519"

    made = done(deployment.invoke("keys-create", "--event", "iris", extra=CIDR))
    assert made.out.splitlines() == [f"private key: {private}", f"public key:  {private}.pub"]
    assert made.err == "next: invoke up --event iris\n"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    public = Path(f"{private}.pub").read_text(encoding="utf-8")
    assert public.startswith("ssh-ed25519 ")
    assert done(deployment.run("ssh-keygen", "-y", "-f", str(private))).out.split()[:2] == public.split()[:2]

    again = deployment.invoke("keys-create", "--event", "iris", extra=CIDR)
    assert (again.exit_code, f"error: {private} is there already" in again.err) == (2, True), again
    assert "--force replaces it" in again.err
    assert Path(f"{private}.pub").read_text(encoding="utf-8") == public

    done(deployment.invoke("keys-create", "--event", "iris", "--force", extra=CIDR))
    assert Path(f"{private}.pub").read_text(encoding="utf-8") != public
    assert stat.S_IMODE(private.stat().st_mode) == 0o600


def test_keys_create_writes_elsewhere_and_says_what_to_write_into_the_event_file(deployment: Deployment) -> None:
    write_iris(deployment)
    private = deployment.folder / "keys" / "mine"

    made = done(deployment.invoke("keys-create", "--event", "iris", "--path", "keys/mine", extra=CIDR))

    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert f"write worker.key_path: {private} in" in made.err


def test_a_preview_before_the_first_up_tells_what_would_be_made_and_makes_none_of_it(
    house: Deployment, foreseen: list[dict[str, str]]
) -> None:
    shown = done(house.invoke("preview", "--local"))

    assert {change["action"] for change in foreseen} == {"created"}
    assert {"aws:ec2/vpc:Vpc", "aws:imagebuilder/imagePipeline:ImagePipeline"} <= {one["type"] for one in foreseen}
    assert all(change["name"] in shown.out for change in foreseen)
    assert f"would be {len(foreseen)} created" in shown.err
    assert shown.err.splitlines()[-1] == "next: invoke up --event iris --local"
    assert own_vpcs(house) == []
    assert house.invoke("outputs", "--local").exit_code == 2


def test_an_up_does_what_was_foreseen_and_twice_changes_nothing(
    house: Deployment, foreseen: list[dict[str, str]]
) -> None:
    first = done(house.invoke("up", "--local"))
    again = done(house.invoke("up", "--local"))

    assert f"{len(foreseen)} created, in " in first.err
    assert f"{len(foreseen)} unchanged, in " in again.err
    assert "created" not in again.err
    assert "nothing, all is as declared" in done(house.invoke("preview", "--local")).out
    kept = Path(house.exports()["RAMPART_STATE_DIR"]) / "iris" / "outputs.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    outputs = json.loads(done(house.invoke("outputs", "--local", "--json")).out)
    assert own_vpcs(house) == [outputs["vpc_id"]]


def test_a_changed_event_file_changes_what_it_must(house: Deployment) -> None:
    path = house.folder / "events" / "iris" / "config.yml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("instance_type: t3.medium", "instance_type: t3.large"), encoding="utf-8")

    changes = previewed(house)

    assert [(change["action"], change["type"]) for change in changes] == [
        ("replaced", "aws:ec2/launchTemplate:LaunchTemplate")
    ]
    assert "1 replaced, " in done(house.invoke("up", "--local")).err


def test_refresh_forgets_what_somebody_deleted_and_the_next_up_makes_it_again(house: Deployment) -> None:
    template = json.loads(done(house.invoke("outputs", "--local", "--json")).out)["launch_template_id"]
    house.client("ec2").delete_launch_template(LaunchTemplateId=template)

    refreshed = done(house.invoke("refresh", "--local"))

    assert "1 forgotten, " in refreshed.err
    assert refreshed.err.splitlines()[-1] == "next: invoke preview --event iris --local"
    assert [change["action"] for change in previewed(house)] == ["created"]
    assert "1 created, " in done(house.invoke("up", "--local")).err


def test_destroy_refuses_while_a_host_is_up_and_ends_it_when_forced(house: Deployment) -> None:
    instance_id = launch_a_host(house)

    refused = house.invoke("destroy", "--local")
    assert (refused.exit_code, instance_id in refused.err, "--force" in refused.err) == (2, True, True), refused
    assert len(previewed(house)) == 0

    forced = done(house.invoke("destroy", "--local", "--force"))
    assert f"hosts {instance_id}" in forced.err
    found = house.client("ec2").describe_instances()["Reservations"]
    assert {one["State"]["Name"] for each in found for one in each["Instances"]} <= {"terminated"}
    assert own_vpcs(house) == []


def test_what_is_destroyed_has_no_outputs_and_destroying_it_again_is_fine(house: Deployment) -> None:
    again = done(house.invoke("destroy", "--local"))

    assert "nothing to do" in again.err
    assert house.invoke("outputs", "--local").exit_code == 2
    assert not (Path(house.exports()["RAMPART_STATE_DIR"]) / "iris" / "outputs.json").exists()
