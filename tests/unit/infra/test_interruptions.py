"""Where notices of interruptions arrive."""

from __future__ import annotations

import json

import pytest

from infra.interruptions import Interruptions, InterruptionsArgs
from infra.tags import Labels
from tests.unit.infra.recording import Recording, record


@pytest.fixture(scope="module")
def recording() -> Recording:
    def declare() -> dict[str, object]:
        interruptions = Interruptions("interruptions", InterruptionsArgs(labels=Labels("iris", "iris")))
        return {"url": interruptions.queue_url}

    return record(declare)


def test_exactly_these_resources_are_declared(recording: Recording) -> None:
    found = [each.type.rpartition(":")[2] for each in recording.resources()]

    assert sorted(found) == ["EventRule", "EventTarget", "Queue", "QueuePolicy"]


def test_both_kinds_of_notice_and_nothing_else_go_to_the_queue(recording: Recording) -> None:
    rule, target = recording.only(":EventRule").inputs, recording.only(":EventTarget").inputs

    assert json.loads(rule["eventPattern"]) == {
        "source": ["aws.ec2"],
        "detail-type": ["EC2 Spot Instance Interruption Warning", "EC2 Instance Rebalance Recommendation"],
    }
    assert rule["state"] == "ENABLED"
    assert target["rule"] == "rampart-iris-interruptions"
    assert target["arn"] == "arn:aws:test:::rampart-iris-interruptions"


def test_the_queue_is_encrypted_and_forgets_soon(recording: Recording) -> None:
    queue = recording.only(":Queue").inputs

    assert queue["sqsManagedSseEnabled"] is True
    assert queue["messageRetentionSeconds"] == 900
    assert recording.outputs["url"] == "https://sqs.eu-west-3.amazonaws.com/111122223333/queue"


def test_only_the_rule_sends_and_nobody_speaks_in_the_clear(recording: Recording) -> None:
    sends, in_the_clear = json.loads(recording.only(":QueuePolicy").inputs["policy"])["Statement"]

    assert sends == {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "arn:aws:test:::rampart-iris-interruptions",
        "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:test:::rampart-iris-interruptions"}},
    }
    assert (in_the_clear["Effect"], in_the_clear["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_no_notice_is_sent_before_the_queue_takes_it(recording: Recording) -> None:
    policies = [urn for urn in recording.only(":EventTarget").dependencies if ":QueuePolicy::" in urn]

    assert len(policies) == 1


def test_what_takes_tags_says_whose_it_is(recording: Recording) -> None:
    for kind in (":EventRule", ":Queue"):
        assert recording.only(kind).inputs["tags"]["rampart:stack"] == "iris"
