"""An event on the local cloud by the commands a person would type, and by tools that know nothing of Rampart."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import REPOSITORY, Answer, Deployment, done, running_cloud
from tests.warm import Started

AWS = str(Path(sys.executable).with_name("aws"))
KIT = "examples/iris"
NOBODYS_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJXlvh02sCAsdOdhmZbQvGAX+5FlSBgQj7GTG2UmjLEK"


@pytest.fixture(scope="module")
def house(new_deployment: Callable[[str], Deployment]) -> Iterator[Deployment]:
    """A deployment with a running local cloud, the stack of the example event in it, and its image."""
    deployment = new_deployment("house")
    text = (REPOSITORY / "events" / "iris" / "config.yml").read_text(encoding="utf-8")
    deployment.write_event(text)
    with running_cloud(deployment):
        for words in (("up",), ("build-ami", "--challenge", "iris")):
            done(deployment.invoke(*words, "--local"))
        yield deployment


def aws(house: Deployment, *words: str) -> Answer:
    return house.run(AWS, "--output", "json", *words, extra=house.exports())


def submit(house: Deployment, name: str, *, code: str) -> None:
    submit_folder(house, name, f"{KIT}/submissions/{code}")


def submit_folder(house: Deployment, name: str, path: str) -> None:
    answer = house.invoke("submit", "--team", "blue", "--submission", name, "--path", path, "--local")
    assert answer.exit_code == 0, answer


def train_loop_until_it_runs(house: Deployment) -> tuple[Started, str]:
    """Start the loop and wait until a submission runs on a host; gives the host's instance id too."""
    loop = house.start("train-loop", "--local", "--hunger-policy", "exit", "--terminate")
    return loop, host_it_runs_on(loop)


def host_it_runs_on(loop: Started) -> str:
    """Wait until the loop says that a submission runs on a host; gives the host's instance id."""
    for line in loop.said:
        if " runs on i-" in line:
            return line.rsplit(" ", 1)[-1].strip()
    raise AssertionError(f"nothing ran: {loop.await_end(60)}")


def row_of(house: Deployment, name: str) -> dict[str, object]:
    return next(row for row in statuses(house) if row["submission"] == name)


def statuses(house: Deployment) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(house.invoke("status", "--json", "--local").out)
    return rows


def launch_by_hand(house: Deployment) -> tuple[str, str]:
    """Start an instance of the event's image that Rampart knows nothing of; gives its id and address."""
    image = json.loads(aws(house, "ec2", "describe-images", "--owners", "self").out)["Images"][0]["ImageId"]
    key_name = json.loads(house.invoke("outputs", "--json", "--local").out)["key_name"]
    launched = aws(house, "ec2", "run-instances", "--image-id", image, "--key-name", key_name, "--count", "1")
    assert launched.exit_code == 0, launched
    instance_id = json.loads(launched.out)["Instances"][0]["InstanceId"]
    described = json.loads(aws(house, "ec2", "describe-instances", "--instance-ids", instance_id).out)
    return instance_id, described["Reservations"][0]["Instances"][0]["PublicIpAddress"]


def ssh(house: Deployment, address: str, command: str) -> Answer:
    variables = house.exports()
    key = Path(variables["RAMPART_STATE_DIR"]) / "iris" / "id_ed25519"
    return house.run("ssh", "-F", variables["RAMPART_SSH_CONFIG"], "-i", str(key), address, command)


def test_a_second_up_changes_nothing(house: Deployment) -> None:
    answer = house.invoke("up", "--local")
    assert answer.exit_code == 0, answer
    assert "created" not in answer.err
    assert "unchanged" in answer.err


def test_a_second_build_finds_nothing_to_build_and_one_that_is_forced_ends_with_ctrl_c(house: Deployment) -> None:
    again = done(house.invoke("build-ami", "--challenge", "iris", "--local"))
    assert again.out.startswith("nothing to build: ami-")
    assert "--force builds it again" in again.err

    # it waits for its image until it is interrupted, however late its log is heard here
    done(house.run(sys.executable, "-m", "localcloud", "inject", "stuck-image", "--count", "1"))
    build = house.start("build-ami", "--challenge", "iris", "--force", "--log", "--local")
    assert any(line.startswith("Phase build") for line in build.said)
    os.killpg(build.pid, signal.SIGINT)
    said = build.await_end(60)
    assert "cancelling the build arn:aws:imagebuilder:" in said
    assert build.exit_code == 130
    assert json.loads(house.invoke("hosts", "--json", "--local").out) == []


def test_a_submission_is_trained_on_a_host_of_its_own_and_ranked(house: Deployment) -> None:
    submit(house, "trees", code="forest")
    trained = house.invoke("train", "--team", "blue", "--submission", "trees", "--local")
    assert trained.exit_code == 0, trained
    assert "valid acc 0.9" in trained.out
    (first, *_) = json.loads(house.invoke("leaderboard", "--json", "--local").out)
    assert (first["team"], first["submission"]) == ("blue", "trees")
    assert json.loads(house.invoke("hosts", "--json", "--local").out) == []
    again = house.invoke("train", "--team", "blue", "--submission", "trees", "--local")
    assert again.exit_code == 2, again
    assert "blue/trees does not wait: it is scored" in again.err
    assert "invoke status --event iris --local" in again.err
    assert not (house.folder / "events" / "iris" / "logs").exists()  # a rehearsal's results lie with the rehearsal


SLOW = """
import time
from sklearn.dummy import DummyClassifier

def get_estimator():
    time.sleep(1)  # long enough to be killed in; what is asserted does not depend on it
    return DummyClassifier(strategy="prior")
"""


def test_a_killed_train_loop_is_replaced_by_the_next_and_nothing_is_run_or_recorded_twice(house: Deployment) -> None:
    slow = house.folder / "slow"
    slow.mkdir()
    (slow / "estimator.py").write_text(SLOW, encoding="utf-8")
    names = ("one", "two", "three")  # one more than run at a time
    for name in names:
        submit_folder(house, name, str(slow))
    loop = house.start("train-loop", "--local", "--hunger-policy", "exit")
    hosts = {host_it_runs_on(loop), host_it_runs_on(loop)}
    os.killpg(loop.pid, signal.SIGKILL)
    loop.await_end(60)
    again = house.invoke("train-loop", "--local", "--hunger-policy", "exit")
    assert again.exit_code == 0, again
    rows = {str(row["submission"]): row for row in statuses(house)}
    assert [(rows[name]["state"], rows[name]["attempt"]) for name in names] == [("scored", 1)] * 3, again
    assert hosts < {rows[name]["host_id"] for name in names}
    board = json.loads(house.invoke("leaderboard", "--json", "--local").out)
    assert sorted(row["submission"] for row in board if row["submission"] in names) == sorted(names)
    assert json.loads(house.invoke("hosts", "--json", "--local").out) == []


def test_a_run_whose_instance_is_terminated_begins_anew_and_ctrl_c_leaves_no_instance(house: Deployment) -> None:
    submit(house, "waits", code="never_ends")
    loop, instance_id = train_loop_until_it_runs(house)
    terminated = aws(house, "ec2", "terminate-instances", "--instance-ids", instance_id)
    assert terminated.exit_code == 0, terminated
    assert host_it_runs_on(loop) != instance_id
    os.killpg(loop.pid, signal.SIGINT)
    said = loop.await_end(60)
    assert loop.exit_code == 130, said
    assert row_of(house, "waits")["state"] == "new"
    assert json.loads(house.invoke("hosts", "--json", "--local").out) == []


def test_the_aws_program_and_plain_ssh_reach_an_instance(house: Deployment) -> None:
    instance_id, address = launch_by_hand(house)
    said = ssh(house, address, "cat .rampart/layout.json")
    assert said.exit_code == 0, said
    assert "ramp_test" in json.loads(said.out)
    assert aws(house, "ec2", "terminate-instances", "--instance-ids", instance_id).exit_code == 0


def test_a_doctor_finds_all_that_aws_has_for_the_event_and_what_it_lacks(house: Deployment) -> None:
    well = house.invoke("doctor", "--json", "--local")
    assert well.exit_code == 0, well
    found = {one["about"] for one in json.loads(well.out) if one["level"] == "ok"}
    assert found >= {"credentials", "database", "image", "key", "security group", "stack"}, well
    text = (house.folder / "events" / "iris" / "config.yml").read_text(encoding="utf-8")
    lacking = "ami_image_name: nobody-made-it\n  key_name: lost\n  security_group: away"
    ill = house.folder / "ill.yml"
    ill.write_text(text.replace("ami_image_name: iris-backend ", f"{lacking} "), encoding="utf-8")
    answer = house.invoke("doctor", "--event", str(ill), "--json", "--local")
    assert answer.exit_code == 1, answer
    wrong = {one["about"]: one for one in json.loads(answer.out) if one["level"] == "error"}
    assert set(wrong) == {"image", "key", "security group"}, answer
    assert all(one["hint"] for one in wrong.values()), answer


def test_an_instance_that_is_up_serves_one_submission_after_another_and_stays_up(house: Deployment) -> None:
    instance_id, address = launch_by_hand(house)
    key = house.folder / "host_key.pub"
    for name in ("guest", "second_guest"):
        submit(house, name, code="starting_kit")

    def train(name: str, *more: str, on: str = instance_id) -> Answer:
        words = ("--team", "blue", "--submission", name, "--instance-id", on, *more)
        return house.invoke("train", *words, "--local")

    unknown = train("guest", on="i-0123456789abcdef0")
    assert (unknown.exit_code, "no host key is known" in unknown.err) == (2, True), unknown
    assert "--host-key FILE" in unknown.err
    key.write_text(NOBODYS_KEY, encoding="utf-8")
    refused = train("guest", "--host-key", str(key))
    assert (refused.exit_code, "wrong host key" in refused.err) == (1, True), refused
    assert (row_of(house, "guest")["state"], row_of(house, "guest")["attempt"]) == ("new", 0)
    known_hosts = Path(house.exports()["RAMPART_SSH_CONFIG"]).with_name("known_hosts")
    key.write_text(house.run("ssh-keygen", "-F", address, "-f", str(known_hosts)).out, encoding="utf-8")

    follower = house.start("logs", "--team", "blue", "--submission", "guest", "--follow", "--local")
    for name, known in (("guest", ("--host-key", str(key))), ("second_guest", ())):  # the second by its console
        trained = train(name, *known)
        assert trained.exit_code == 0, trained
        assert "valid acc" in trained.out
    followed = follower.await_end(60)
    assert follower.exit_code == 0, followed
    assert "it is scored where its labels are" in followed
    assert "blue/guest is scored" in followed
    assert ssh(house, address, "ls .rampart/jobs").out == ""
    assert aws(house, "ec2", "terminate-instances", "--instance-ids", instance_id).exit_code == 0
    submit(house, "too_late", code="starting_kit")
    late = train("too_late", "--host-key", str(key))
    assert (late.exit_code, f"instance {instance_id} is " in late.err) == (2, True), late
    house.invoke("cancel", "--team", "blue", "--submission", "too_late", "--local")


def test_destroying_the_stack_leaves_nothing_of_it(house: Deployment) -> None:  # the last one: it ends the house
    answer = house.invoke("destroy", "--local")
    assert answer.exit_code == 0, answer
    builder, ec2, iam = (house.client(service) for service in ("imagebuilder", "ec2", "iam"))
    assert builder.list_components(owner="Self")["componentVersionList"] == []
    assert builder.list_image_recipes(owner="Self")["imageRecipeSummaryList"] == []
    assert builder.list_image_pipelines()["imagePipelineList"] == []
    assert ec2.describe_key_pairs()["KeyPairs"] == []
    assert ec2.describe_launch_templates()["LaunchTemplates"] == []
    assert [vpc for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]] == []
    assert [role for role in iam.list_roles()["Roles"] if role["RoleName"].startswith("rampart")] == []
