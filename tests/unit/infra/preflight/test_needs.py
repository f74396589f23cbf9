"""Images, keys, roles, budget and ends: what an event needs besides a network and machines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.event import EventConfig
from contracts.findings import Level
from contracts.infra.network import UBUNTU
from contracts.survey import EncryptionKey
from tests.unit.infra.preflight.account import IMAGE, Account, about, found
from tests.unit.infra.preflight.conftest import MakeEvent

END = "2027-03-31T18:00:00Z"
BUILT = "arn:aws:imagebuilder:eu-west-3:aws:image/ubuntu-server-24-lts-x86/x.x.x"
KEY = "arn:aws:kms:eu-west-3:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BUDGET = {"budget": {"monthly_usd": 50, "emails": ["organiser@example.org", "dean@example.org"]}}


def test_the_parent_image_behind_a_parameter_is_looked_up(make: MakeEvent) -> None:
    assert about(make(), Account(), "parent image") == [("ok", f"{IMAGE} (ubuntu 24.04), x86_64")]


@pytest.mark.parametrize(
    ("reference", "account"),
    [
        (UBUNTU, Account(parameters={})),
        (UBUNTU, Account(parameters={UBUNTU.removeprefix("ssm:"): "not an image"})),
        (UBUNTU, Account(images={})),
        ("ami-0fff1234def567890", Account()),
    ],
)
def test_a_parent_image_that_is_not_there_is_an_error(make: MakeEvent, reference: str, account: Account) -> None:
    told = about(make({"image": {"parent_image": reference}}), account, "parent image")
    assert told == [("error", f"{reference} is no image in eu-west-3 that this account may use")]


def test_an_image_that_is_not_available_is_an_error(make: MakeEvent) -> None:
    account = Account()
    account.images[IMAGE] = replace(account.images[IMAGE], state="deregistered")
    assert about(make(), account, "parent image") == [
        ("error", f"{IMAGE} (ubuntu 24.04), x86_64 is deregistered"),
    ]


def test_an_image_larger_than_the_disk_it_is_to_fit_on_is_an_error(make: MakeEvent) -> None:
    account = Account()
    account.images[IMAGE] = replace(account.images[IMAGE], root_gib=30)
    (told,) = about(make(), account, "parent image")
    assert told[0] == "error"
    assert told[1].endswith("has a disk of 30 GiB, more than the 20 GiB it is to fit on")


def test_an_image_of_image_builder_is_looked_up_there(make: MakeEvent) -> None:
    event = make({"image": {"parent_image": BUILT}})
    told = about(event, Account(built=(BUILT,)), "parent image")
    assert told == [("ok", f"{BUILT}; its architecture was not looked at")]
    assert about(event, Account(), "parent image") == [("warning", f"Image Builder does not know {BUILT}")]


def test_the_image_named_for_hosts_is_looked_up_too(make: MakeEvent) -> None:
    other = "ami-0fff1234def567890"
    assert about(make(ami_image_id=IMAGE), Account(), "hosts' image") == [("ok", f"{IMAGE} (ubuntu 24.04), x86_64")]
    told = about(make(ami_image_id=other), Account(), "hosts' image")
    assert told == [("error", f"{other} is no image in eu-west-3 that this account may use")]


def test_the_gateways_image_is_looked_up_where_there_is_a_gateway(make: MakeEvent) -> None:
    gateway = {"access": "gateway", "network": {"subnets": "private"}}
    assert about(make(gateway), Account(), "gateway image") == [("ok", f"{IMAGE} (ubuntu 24.04), x86_64")]
    assert about(make(), Account(), "gateway image") == []


def _of_gpus(event: EventConfig) -> list[tuple[str, str]]:
    return [one for one in about(event, Account(), "instance types") if "GPU" in one[1]]


def test_a_driver_for_which_no_host_has_a_gpu_is_warned_of(make: MakeEvent) -> None:
    wanted = {"image": {"gpu": True}}
    message = "the image gets NVIDIA's driver, but no host has such a GPU: t3.medium, c7i.large"
    assert _of_gpus(make({**wanted, "instance_types": ["c7i.large"]})) == [("warning", message)]
    assert _of_gpus(make({**wanted, "instance_types": ["g4dn.xlarge"]})) == []


def test_a_gpu_for_which_the_image_gets_no_driver_is_warned_of(make: MakeEvent) -> None:
    message = "g4dn.xlarge has an NVIDIA GPU, the image gets no driver"
    assert _of_gpus(make({"image": {"gpu": False}}, instance_type="g4dn.xlarge")) == [("warning", message)]
    assert _of_gpus(make(instance_type="g4dn.xlarge")) == []
    assert _of_gpus(make()) == []


@pytest.mark.parametrize(
    ("key", "share_with", "level", "what"),
    [
        (EncryptionKey("Enabled", is_own=True, encrypts=True), ["444455556666"], "ok", ""),
        (EncryptionKey("Enabled", is_own=False, encrypts=True), [], "ok", ""),
        (EncryptionKey("Enabled", is_own=False, encrypts=True), ["444455556666"], "error", " is one of AWS's own"),
        (EncryptionKey("PendingDeletion", is_own=True, encrypts=True), [], "error", " is PendingDeletion"),
        (EncryptionKey("Enabled", is_own=True, encrypts=False), [], "error", " is not for encrypting data"),
        (None, [], "error", ""),
    ],
)
def test_the_key_of_the_image_must_encrypt_and_be_the_accounts_own_where_others_are_let_in(
    make: MakeEvent, key: EncryptionKey | None, share_with: list[str], level: str, what: str
) -> None:
    event = make({"image": {"kms_key": KEY, "share_with": share_with}})
    ((found_level, message),) = about(event, Account(encryption={KEY: key} if key else {}), "image key")
    assert found_level == level
    assert (f"{KEY}{what}" if key else f"there is no key {KEY}") in message
    assert about(make(), Account(), "image key") == []


def test_what_builds_read_from_buckets_must_be_there(make: MakeEvent) -> None:
    kit, data = "s3://challenges/iris-kit.tar.gz", "s3://challenges/iris/private/"
    event = make({"image": {"kit": {"s3": kit, "sha256": 64 * "a"}, "private_data": {"s3": data}}})
    assert about(event, Account(stored=(kit,)), "image sources") == [
        ("ok", kit),
        ("error", f"there is nothing at {data}"),
    ]
    refused = Account(refused={"holds": "AccessDenied"})
    assert about(event, refused, "image sources") == [("warning", "not looked at: could not ask for holds")]


def test_the_key_file_is_looked_at_where_no_key_pair_is_named(make: MakeEvent) -> None:
    event = make()
    (told,) = about(event, Account(), "key")
    assert told == ("ok", f"up makes one: {event.key_path}")
    event.key_path.touch()
    assert about(event, Account(), "key") == [("ok", f"{event.key_path}.pub")]
    event.key_path.with_name(f"{event.key_path.name}.pub").unlink()
    ((level, message),) = about(event, Account(), "key")
    assert (level, message) == ("error", f"no public key at {event.key_path}.pub")


def test_a_named_key_pair_must_be_there(make: MakeEvent) -> None:
    event = make(key_name="mine")
    assert about(event, Account(key_pairs=("mine",)), "key") == [("ok", "key pair mine")]
    assert about(event, Account(), "key") == [("error", "eu-west-3 has no key pair mine")]


@pytest.mark.parametrize(
    ("infra", "use_spot", "services"),
    [
        ({}, False, {"imagebuilder", "ec2fleet"}),
        ({}, True, {"imagebuilder", "ec2fleet", "spot"}),
        ({"fleet": {"valid_until": END}}, False, {"imagebuilder", "ec2fleet", "spot"}),
        ({"fleet": {"valid_until": END, "spot": False}}, False, {"imagebuilder", "ec2fleet"}),
        (
            {"fleet": {"valid_until": END, "kind": "spot-fleet-request"}},
            False,
            {"imagebuilder", "ec2fleet", "spot", "spotfleet"},
        ),
    ],
)
def test_missing_roles_are_named_with_the_command_that_makes_them(
    make: MakeEvent, infra: dict[str, object], use_spot: bool, services: set[str]
) -> None:
    names = ("ImageBuilder", "EC2Fleet", "EC2Spot", "EC2SpotFleet")
    account = Account(missing_roles=tuple(f"AWSServiceRoleFor{name}" for name in names))
    roles = [one for one in found(make(infra, use_spot_instance=use_spot), account) if one.about == "roles"]
    assert {one.level for one in roles} == {Level.WARNING}
    command = "once, by an administrator: aws iam create-service-linked-role --aws-service-name"
    assert {one.hint for one in roles} == {f"{command} {service}.amazonaws.com" for service in services}


def test_roles_that_are_there_are_fine(make: MakeEvent) -> None:
    told = about(make(use_spot_instance=True), Account(), "roles")
    assert told == [
        ("ok", f"AWSServiceRoleFor{name}") for name in ("ImageBuilder", "EC2Fleet", "EC2Spot")
    ]  # fmt: skip


def test_a_budget_tells_whom_and_whether_its_tag_counts(make: MakeEvent) -> None:
    assert about(make(BUDGET), Account(), "budget") == [
        ("ok", "50 USD a month, told to organiser@example.org, dean@example.org"),
        ("ok", "the tag rampart:stack counts in billing"),
    ]
    assert about(make(), Account(), "budget") == []


@pytest.mark.parametrize(
    ("status", "state"), [("Inactive", "is not active in billing"), ("", "was not seen by billing yet")]
)
def test_a_tag_that_billing_does_not_count_makes_the_budget_blind(make: MakeEvent, status: str, state: str) -> None:
    event, account = make(BUDGET), Account(tag_status=status)
    (_, told) = about(event, account, "budget")
    assert told == ("warning", f"the tag rampart:stack {state}: until it is, the budget counts nothing")
    hint = next(one.hint for one in found(event, account) if one.about == "budget" and one.hint)
    assert "update-cost-allocation-tags-status" in hint


@pytest.mark.parametrize("key", ["fleet", "dask"])
@pytest.mark.parametrize(
    ("end", "level", "what"),
    [
        ("2027-01-15T12:00:00Z", "error", " is past"),
        ("2027-01-15T12:00:01Z", "ok", ""),
        ("2027-04-15T12:00:00Z", "ok", ""),
        ("2027-04-15T12:00:01Z", "warning", " is 90 days away"),
    ],
)
def test_what_stands_must_end_and_soon_enough(make: MakeEvent, key: str, end: str, level: str, what: str) -> None:
    told = about(make({key: {"valid_until": end}}), Account(), "end")
    assert told == [(level, f"infra.{key}.valid_until: {end.replace('Z', '+00:00')}{what}")]
