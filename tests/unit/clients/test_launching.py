"""A fleet is asked for in the order its hosts are preferred."""

from __future__ import annotations

import dataclasses

from clients.aws import launching
from contracts.instance import LaunchRequest, Pool

TYPES = ("t3.medium", "m7i.large")
REQUEST = LaunchRequest("ami-1", "token", {}, pools=tuple(Pool(one, zone) for one in TYPES for zone in "ab"))


def test_on_demand_the_preferred_type_is_taken_first_in_any_subnet() -> None:
    asked = launching.create_fleet(REQUEST, "1")
    (config,) = asked["LaunchTemplateConfigs"]
    assert [one["Priority"] for one in config["Overrides"]] == [0.0, 0.0, 1.0, 1.0]
    assert asked["OnDemandOptions"] == {"AllocationStrategy": "prioritized"}


def test_one_type_is_taken_where_it_is_cheapest() -> None:
    asked = launching.create_fleet(dataclasses.replace(REQUEST, pools=REQUEST.pools[:2]), "1")
    (config,) = asked["LaunchTemplateConfigs"]
    assert config["Overrides"] == [{"InstanceType": "t3.medium", "SubnetId": zone} for zone in "ab"]
    assert asked["OnDemandOptions"] == {"AllocationStrategy": "lowest-price"}


def test_spot_machines_have_no_order() -> None:
    asked = launching.create_fleet(dataclasses.replace(REQUEST, spot=True), "1")
    (config,) = asked["LaunchTemplateConfigs"]
    assert not any("Priority" in one for one in config["Overrides"])
    assert asked["SpotOptions"]["AllocationStrategy"] == "price-capacity-optimized"


def test_a_machine_that_builds_has_a_profile_and_a_way_out_beside_the_way_in() -> None:
    request = dataclasses.replace(REQUEST, security_group_id="sg-in", further_group_ids=("sg-out",), profile="builds")
    asked = launching.run_instances(request)
    assert asked["SecurityGroupIds"] == ["sg-in", "sg-out"]
    assert asked["IamInstanceProfile"] == {"Name": "builds"}
    assert launching.template_version(request)["LaunchTemplateData"]["IamInstanceProfile"] == {"Name": "builds"}


def test_a_host_of_a_run_has_no_profile() -> None:
    assert "IamInstanceProfile" not in launching.run_instances(REQUEST)
