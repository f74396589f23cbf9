"""The call that launches one machine of a cluster."""

from __future__ import annotations

from typing import Any

from runner.dask.keepers.run_instances import KINDS, Market, Pool, Template, run_instances, template_of

TEMPLATE = Template(
    "lt-1",
    "7",
    {"instance": {"Name": "rampart-iris-dask-worker", "rampart:max-lifetime-s": "60"}, "volume": {"Name": "disk"}},
)
ON_DEMAND = Market()
POOL = Pool("c7i.large", "subnet-a")
TAGS = {"rampart:stack": "iris", "rampart:launch": "1"}


def _asked(
    *, pool: Pool = POOL, market: Market = ON_DEMAND, name: str = "dask-1-worker-2", user_data: str = ""
) -> dict[str, Any]:
    return run_instances(TEMPLATE, pool, market, name=name, tags=TAGS, user_data=user_data)


def test_a_template_is_read_with_its_tags_and_the_number_that_stays() -> None:
    told = {
        "LaunchTemplateVersions": [
            {
                "LaunchTemplateId": "lt-1",
                "VersionNumber": 7,
                "LaunchTemplateData": {
                    "TagSpecifications": [
                        {"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": "disk"}]},
                    ]
                },
            }
        ]
    }

    assert template_of(told) == Template("lt-1", "7", {"volume": {"Name": "disk"}})


def test_one_machine_is_launched_from_the_template_and_nothing_of_it_is_overruled() -> None:
    asked = _asked()

    assert asked["LaunchTemplate"] == {"LaunchTemplateId": "lt-1", "Version": "7"}
    assert (asked["MinCount"], asked["MaxCount"]) == (1, 1)
    assert (asked["InstanceType"], asked["SubnetId"]) == ("c7i.large", "subnet-a")
    assert set(asked) == {
        *("LaunchTemplate", "MinCount", "MaxCount", "InstanceType", "SubnetId", "ClientToken", "TagSpecifications"),
    }


def test_everything_is_tagged_when_it_is_made_as_the_template_and_the_loop_say() -> None:
    by_kind = {
        each["ResourceType"]: {tag["Key"]: tag["Value"] for tag in each["Tags"]}
        for each in _asked()["TagSpecifications"]
    }

    assert set(by_kind) == set(KINDS)
    assert by_kind["instance"] == {**TEMPLATE.tags["instance"], **TAGS}
    assert by_kind["volume"] == {"Name": "disk", **TAGS}
    assert by_kind["network-interface"] == TAGS


def test_a_spot_machine_is_had_once_and_ends_when_it_is_taken_back() -> None:
    asked = _asked(market=Market(spot=True, max_price_usd="0.05"))

    assert asked["InstanceMarketOptions"] == {
        "MarketType": "spot",
        "SpotOptions": {
            "SpotInstanceType": "one-time",
            "InstanceInterruptionBehavior": "terminate",
            "MaxPrice": "0.05",
        },
    }
    cheap = _asked(market=Market(spot=True))["InstanceMarketOptions"]["SpotOptions"]
    assert "MaxPrice" not in cheap


def test_user_data_is_given_as_plain_text_for_botocore_encodes_it() -> None:
    assert _asked(user_data="#cloud-config\n")["UserData"] == "#cloud-config\n"


def test_the_same_machine_asked_for_again_has_the_same_token_and_every_other_one_another() -> None:
    tokens = {
        _asked()["ClientToken"],
        _asked(name="dask-1-worker-3")["ClientToken"],
        _asked(pool=Pool("c7i.large", "subnet-b"))["ClientToken"],
        _asked(market=Market(spot=True))["ClientToken"],
    }

    assert len(tokens) == 4
    assert all(len(token) == 64 for token in tokens)
    assert _asked()["ClientToken"] in tokens
