"""Secrets' values stay secret, whatever is declared and told."""

from __future__ import annotations

import json
from typing import Any

import pulumi
from pulumi.runtime import rpc

from infra.secrets import Secrets, SecretsArgs
from infra.tags import Labels
from tests.unit.infra import promises
from tests.unit.infra.recording import Recording, record

VALUE = "hunter2-hunter2"
WANTED = {"osf": "token of the data's owner at osf.io", "mirror": "password of the mirror"}


def _secrets(*, marked: bool = True) -> Recording:
    def declare() -> dict[str, Any]:
        value = pulumi.Output.secret(VALUE) if marked else pulumi.Output.from_input(VALUE)
        made = Secrets("secrets", SecretsArgs(WANTED, {"osf": value}, Labels(event="iris", stack="iris")))
        return {"secret_arns": made.arns}

    return record(declare)


def test_each_name_is_a_secret_with_its_sentence_that_can_be_had_back_for_a_week() -> None:
    secrets = [(each.name, each.inputs["description"]) for each in _secrets().of(":Secret")]

    assert secrets == [
        ("rampart-iris-secret-mirror", WANTED["mirror"]),
        ("rampart-iris-secret-osf", WANTED["osf"]),
    ]
    assert {each.inputs["recoveryWindowInDays"] for each in _secrets().of(":Secret")} == {7}


def test_only_a_secret_whose_value_is_known_has_a_version() -> None:
    recording = _secrets()

    assert recording.only(":SecretVersion").inputs["secretId"] == "id-rampart-iris-secret-osf"


def test_a_value_is_nowhere_but_wrapped_in_its_version() -> None:
    for marked in (True, False):
        recording = _secrets(marked=marked)
        version = recording.only(":SecretVersion")

        assert rpc.is_rpc_secret(version.inputs["secretString"])
        assert rpc.unwrap_rpc_secret(version.inputs["secretString"]) == VALUE
        others = [each.inputs for each in recording.registrations if each is not version]
        rest = {name: value for name, value in version.inputs.items() if name != "secretString"}
        assert VALUE not in json.dumps([others, rest, recording.outputs])


def test_the_outputs_are_arns_alone() -> None:
    assert _secrets().outputs == {
        "secret_arns": {
            "mirror": "arn:aws:test:::rampart-iris-secret-mirror",
            "osf": "arn:aws:test:::rampart-iris-secret-osf",
        }
    }


def test_everything_is_named_and_tagged_as_aws_takes_it() -> None:
    assert promises.untagged(_secrets()) == []
    assert promises.misnamed(_secrets()) == []
