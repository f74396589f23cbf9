"""Names, tags, ranges, policies, keys: without Pulumi."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import AskedWrongly, KeyFileInvalid
from infra import addresses, keys, naming, policies
from infra.tags import Labels
from tests.unit.infra.conftest import PUBLIC_KEY, MakeEvent

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True)
PURPOSES = st.sampled_from(["host", "image-build", "image-builder-to-443", "ssh-from-255.255.255.255-32"])


@given(NAMES, PURPOSES)
def test_a_name_fits_every_service_and_tells_its_purpose(event: str, purpose: str) -> None:
    name = naming.logical_name(event, purpose)

    assert len(name) + naming.SUFFIX_LENGTH <= 64
    assert name.startswith("rampart-")
    assert name.endswith(purpose)


def test_long_names_that_begin_alike_stay_apart() -> None:
    assert naming.logical_name("e" * 63 + "a", "host") != naming.logical_name("e" * 63 + "b", "host")


@pytest.mark.parametrize(
    ("region", "expected"), [("eu-west-3", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_a_region_tells_its_partition(region: str, expected: str) -> None:
    assert naming.partition(region) == expected


def test_an_ami_name_is_one_that_image_builder_makes() -> None:
    base = "i" * 98

    assert naming.ami_name("iris-backend") == "iris-backend {{ imagebuilder:buildDate }}"
    assert len(naming.ami_name(base)) == 127
    for refused in (base + "i", "iris/backend", "iris (old)", "iris's", " iris"):
        with pytest.raises(AskedWrongly, match=r"at most 98 letters.*worker\.ami_image_name"):
            naming.ami_name(refused)


def test_only_images_are_tagged_as_tested() -> None:
    labels = Labels(event="iris", stack="iris")

    assert labels.tested_image("1.0.7")["rampart:status"] == "tested"
    assert "rampart:status" not in labels.resource("x") | labels.instance("x") | labels.built_image("1.0.7")


def test_an_image_knows_its_recipe_from_the_first_moment_on() -> None:
    labels = Labels(event="iris", stack="iris")

    assert labels.built_image("1.0.7") == {
        "rampart:event": "iris",
        "rampart:stack": "iris",
        "rampart:recipe": "1.0.7",
    }
    assert labels.tested_image("1.0.7")["rampart:recipe"] == "1.0.7"


def test_ranges_are_joined_and_ordered() -> None:
    cidrs = [IPv4Network(cidr) for cidr in ("203.0.113.128/25", "198.51.100.7/32", "203.0.113.0/25", "198.51.100.7/32")]

    assert [str(cidr) for cidr in addresses.closed_to_the_world(cidrs)] == ["198.51.100.7/32", "203.0.113.0/24"]


def test_another_number_of_zones_moves_no_subnet() -> None:
    vpc = IPv4Network("10.20.0.0/16")

    assert addresses.subnets(vpc, 6)[:2] == addresses.subnets(vpc, 2)


@pytest.mark.parametrize("cidr", ["10.0.0.0/8", "10.20.0.0/26"])
def test_a_vpc_aws_would_not_take_is_refused(cidr: str) -> None:
    with pytest.raises(AskedWrongly, match=r"infra\.network\.cidr"):
        addresses.subnets(IPv4Network(cidr), 2)


def test_a_partition_has_its_own_arns_and_services() -> None:
    assert policies.aws_managed("aws-cn", "P") == "arn:aws-cn:iam::aws:policy/P"
    assert policies.assumed_by_ec2("aws-cn")["Statement"][0]["Principal"]["Service"] == "ec2.amazonaws.com.cn"


def test_the_public_key_beside_a_given_key_is_read(make_event: MakeEvent, tmp_path: Path) -> None:
    (tmp_path / "mine.pem.pub").write_text(f"{PUBLIC_KEY}\n")

    assert keys.public_key(make_event(worker={"key_path": tmp_path / "mine.pem"})) == PUBLIC_KEY


@pytest.mark.parametrize("content", [b"", b"-----BEGIN OPENSSH PRIVATE KEY-----\n", b"ssh-dss AAAA\n", b"\xff\xfe"])
def test_what_is_no_public_key_is_refused(make_event: MakeEvent, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").touch()
    (tmp_path / "key.pub").write_bytes(content)

    with pytest.raises(KeyFileInvalid, match=r"key\.pub is not .* \(ssh-keygen -y -f .*/key > "):
        keys.public_key(make_event(worker={"key_path": tmp_path / "key"}))
