"""Who gets into an event's machines, and what they reach."""

from __future__ import annotations

import itertools
from ipaddress import IPv4Network
from typing import Any

import pytest

from contracts.errors import AskedWrongly
from contracts.infra import Access as WayIn
from contracts.infra import WayOut
from infra.access import Access, AccessArgs
from infra.tags import Labels
from tests.unit.infra import promises
from tests.unit.infra.conftest import PUBLIC_KEY
from tests.unit.infra.recording import Recording, record

ALLOWED = (IPv4Network("203.0.113.0/28"), IPv4Network("198.51.100.7/32"))
WAYS_OUT = (
    WayOut(cidr=IPv4Network("192.0.2.0/24"), port=8443),
    WayOut(cidr=IPv4Network("192.0.2.0/24")),
    WayOut(cidr=IPv4Network("192.0.2.0/24"), port=8443),
)
OPTIONS = list(itertools.product(WayIn, ((), WAYS_OUT), (None, "mine")))
HOSTS, SERVER, BUILDER = "id-rampart-iris-hosts", "id-rampart-iris-server", "id-rampart-iris-image-builder"
JUMP_HOST, ENDPOINT = "id-rampart-iris-jump-host", "id-rampart-iris-connect-endpoint"

Rule = tuple[str, int, int, str]
"""The group, from port, to port, the range or group at the other end."""


def _access(**changes: Any) -> Recording:
    values: dict[str, Any] = {
        "vpc_id": "vpc-1",
        "way_in": WayIn.PUBLIC,
        "allowed_cidrs": ALLOWED,
        "host_egress": (),
        "public_key": PUBLIC_KEY,
        "key_name": None,
        "labels": Labels(event="iris", stack="iris"),
    }

    def program() -> dict[str, Any]:
        access = Access("access", AccessArgs(**{**values, **changes}))
        return {
            "key_name": access.key_name,
            "hosts": access.hosts_group_id,
            "builder": access.builder_group_id,
            "server": access.server_group_id,
            "way_in": access.way_in_group_id,
        }

    return record(program)


def _rules(recording: Recording, kind: str, group: str) -> set[Rule]:
    found = [each.inputs for each in recording.of(f":SecurityGroup{kind}Rule")]
    assert {rule["ipProtocol"] for rule in found} <= {"tcp"}
    return {
        (
            rule["securityGroupId"],
            rule["fromPort"],
            rule["toPort"],
            rule.get("cidrIpv4") or rule["referencedSecurityGroupId"],
        )
        for rule in found
        if rule["securityGroupId"] == group
    }


def _in(recording: Recording, group: str) -> set[tuple[int, str]]:
    return _ends(_rules(recording, "Ingress", group))


def _out(recording: Recording, group: str) -> set[tuple[int, str]]:
    return _ends(_rules(recording, "Egress", group))


def _ends(rules: set[Rule]) -> set[tuple[int, str]]:
    assert all(first == last for _, first, last, _ in rules)
    return {(port, end) for _, port, _, end in rules}


@pytest.mark.parametrize(("way_in", "host_egress", "key_name"), OPTIONS)
def test_no_combination_of_options_lets_the_world_in(
    way_in: WayIn, host_egress: tuple[WayOut, ...], key_name: str | None
) -> None:
    recording = _access(way_in=way_in, host_egress=host_egress, key_name=key_name)

    assert promises.let_the_world_in(recording) == []
    assert promises.untagged(recording) == []
    assert promises.misnamed(recording) == []
    assert promises.badly_described(recording) == []
    assert _in(recording, BUILDER) == _in(recording, SERVER) == set()
    assert all(port == 22 for group in (HOSTS, JUMP_HOST, ENDPOINT) for port, _ in _in(recording, group))
    for group in recording.of(":SecurityGroup"):
        # inline rules, even none, would fight with the separate ones
        assert not {"ingress", "egress"} & set(group.inputs)
        assert group.inputs["revokeRulesOnDelete"] is True


@pytest.mark.parametrize("way_in", WayIn)
def test_hosts_reach_nothing(way_in: WayIn) -> None:
    assert _out(_access(way_in=way_in), HOSTS) == set()


@pytest.mark.parametrize("way_in", WayIn)
def test_a_dispatcher_in_the_vpc_reaches_the_hosts_and_the_web(way_in: WayIn) -> None:
    recording = _access(way_in=way_in)

    assert _out(recording, SERVER) == {(22, HOSTS), (80, "0.0.0.0/0"), (443, "0.0.0.0/0")}
    assert (22, SERVER) in _in(recording, HOSTS)


@pytest.mark.parametrize("way_in", [WayIn.PUBLIC, WayIn.INSIDE])
def test_hosts_are_reached_from_the_server_and_the_allowed_ranges(way_in: WayIn) -> None:
    recording = _access(way_in=way_in)

    assert _in(recording, HOSTS) == {(22, "203.0.113.0/28"), (22, "198.51.100.7/32"), (22, SERVER)}
    assert recording.outputs.get("way_in") is None


def test_behind_a_gateway_hosts_are_reached_over_it_alone() -> None:
    recording = _access(way_in=WayIn.GATEWAY)

    assert _in(recording, HOSTS) == {(22, SERVER), (22, JUMP_HOST)}
    assert _in(recording, JUMP_HOST) == {(22, "203.0.113.0/28"), (22, "198.51.100.7/32")}
    assert _out(recording, JUMP_HOST) == {(22, HOSTS)}
    assert recording.outputs["way_in"] == JUMP_HOST


def test_behind_an_endpoint_hosts_are_reached_over_it_alone_and_nothing_reaches_it_by_address() -> None:
    recording = _access(way_in=WayIn.EICE)

    assert _in(recording, HOSTS) == {(22, SERVER), (22, ENDPOINT)}
    assert _in(recording, ENDPOINT) == set()
    assert _out(recording, ENDPOINT) == {(22, HOSTS)}
    assert recording.outputs["way_in"] == ENDPOINT


def test_only_the_web_goes_out_of_image_builds() -> None:
    assert _out(_access(), BUILDER) == {(80, "0.0.0.0/0"), (443, "0.0.0.0/0")}


def test_hosts_reach_what_is_asked_for_once_and_nothing_else() -> None:
    recording = _access(host_egress=WAYS_OUT)

    assert _out(recording, HOSTS) == {(443, "192.0.2.0/24"), (8443, "192.0.2.0/24")}
    assert [each.name for each in recording.of(":SecurityGroupEgressRule") if "hosts-to-" in each.name] == [
        "rampart-iris-hosts-to-192.0.2.0-24-on-443",
        "rampart-iris-hosts-to-192.0.2.0-24-on-8443",
    ]


@pytest.mark.parametrize("asked", [["0.0.0.0/0"], ["64.0.0.0/7"], ["16.0.0.0/8", "17.0.0.0/8"]])
def test_a_way_out_to_nearly_anywhere_is_refused(asked: list[str]) -> None:
    # as a program might pass it that did not read it from an event file
    ways_out = tuple(WayOut.model_construct(cidr=IPv4Network(cidr), port=443) for cidr in asked)

    with pytest.raises(AskedWrongly, match=r"infra\.host_egress opens port 443 to .*nearly the world"):
        _access(host_egress=ways_out)


@pytest.mark.parametrize("way_in", WayIn)
@pytest.mark.parametrize(
    "open_to", [["0.0.0.0/0"], ["203.0.113.0/28", "0.0.0.0/0"], ["0.0.0.0/1", "128.0.0.0/1"], ["64.0.0.0/3"]]
)
def test_a_port_open_to_nearly_everybody_is_refused(way_in: WayIn, open_to: list[str]) -> None:
    cidrs = tuple(IPv4Network(cidr) for cidr in open_to)

    with pytest.raises(AskedWrongly, match=r"infra\.allowed_cidrs opens port 22"):
        _access(way_in=way_in, allowed_cidrs=cidrs)


@pytest.mark.parametrize("way_in", [WayIn.PUBLIC, WayIn.GATEWAY])
def test_hosts_nobody_could_reach_are_refused(way_in: WayIn) -> None:
    with pytest.raises(AskedWrongly, match=r"infra\.allowed_cidrs is empty"):
        _access(way_in=way_in, allowed_cidrs=())


def test_hosts_that_are_reached_otherwise_need_no_allowed_range() -> None:
    assert _in(_access(way_in=WayIn.INSIDE, allowed_cidrs=()), HOSTS) == {(22, SERVER)}
    assert _in(_access(way_in=WayIn.EICE, allowed_cidrs=()), HOSTS) == {(22, SERVER), (22, ENDPOINT)}


def test_names_that_stacks_have_deployed_stay() -> None:
    names = {each.name.removeprefix("rampart-iris-") for each in _access().resources()}

    assert names == {
        "key",
        "hosts",
        "ssh-from-203.0.113.0-28",
        "ssh-from-198.51.100.7-32",
        "image-builder",
        "image-builder-to-80",
        "image-builder-to-443",
        "server",
        "server-to-80",
        "server-to-443",
        "server-to-hosts",
        "ssh-from-server",
    }


def test_the_longest_names_of_rules_fit_and_stay_apart() -> None:
    recording = _access(
        way_in=WayIn.GATEWAY,
        allowed_cidrs=(IPv4Network("255.255.255.254/32"), IPv4Network("255.255.255.251/32")),
        host_egress=tuple(WayOut(cidr=IPv4Network("255.255.255.255/32"), port=port) for port in (65534, 65535)),
        labels=Labels(event="e" * 64, stack="iris"),
    )

    assert promises.misnamed(recording) == []


def test_the_key_pair_is_the_public_half() -> None:
    recording = _access()

    assert recording.only(":KeyPair").inputs["publicKey"] == PUBLIC_KEY
    assert recording.outputs["key_name"] == "rampart-iris-key"


def test_an_existing_key_pair_is_used_and_none_declared() -> None:
    recording = _access(key_name="mine", public_key="")

    assert recording.of(":KeyPair") == []
    assert recording.outputs["key_name"] == "mine"
