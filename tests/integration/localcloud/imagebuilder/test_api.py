"""Clients that know nothing of the emulator are answered as by AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.localcloud.imagebuilder.builders import Builder, document

NOWHERE = "arn:aws:imagebuilder:us-east-1:123456789012:component/none/1.0.0/1"


def refused(call: Any, **arguments: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer: Any = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def test_the_aws_command_line_lists_components(builder: Builder) -> None:
    arn = builder.component(document(build="true"))
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **builder.cloud.environment}
    command = [sys.executable, "-m", "awscli", "imagebuilder", "list-components", "--output", "json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    listed = [component["arn"] for component in json.loads(done.stdout)["componentVersionList"]]
    assert arn.rsplit("/", 1)[0] in listed


def test_wrong_requests_are_refused_with_awss_own_errors(builder: Builder) -> None:
    client = builder.client
    wrong = {"name": "part", "semanticVersion": "1.0.0", "platform": "Linux", "data": "not a document"}
    code, status, message = refused(client.create_component, **wrong)
    assert (code, status) == ("InvalidParameterValueException", 400)
    assert "line 1" in message
    assert refused(client.get_component, componentBuildVersionArn=NOWHERE)[:2] == ("ResourceNotFoundException", 404)
    assert refused(client.get_component, componentBuildVersionArn="part")[0] == "InvalidParameterValueException"
    code, status, message = refused(client.list_workflows)
    assert (code, status) == ("NotImplementedException", 501)
    assert "ListWorkflows" in message


def test_a_paginator_sees_everything_once(builder: Builder) -> None:
    made = {builder.component(document(build="true")).rsplit("/", 1)[0] for _ in range(3)}
    pages = builder.client.get_paginator("list_components").paginate(PaginationConfig={"PageSize": 2})
    listed = [component["arn"] for page in pages for component in page["componentVersionList"]]
    assert len(listed) == len(set(listed))
    assert made <= set(listed)


def test_tags_travel_through_the_address(builder: Builder) -> None:
    arn = builder.component(document(build="true"))
    builder.client.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
    builder.client.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert builder.client.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}


def test_regions_share_nothing(builder: Builder) -> None:
    session_of = builder.cloud.environment
    arn = builder.component(document(build="true"))
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **session_of, "AWS_DEFAULT_REGION": "us-west-2"}
    command = [sys.executable, "-m", "awscli", "imagebuilder", "list-components", "--output", "text"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert arn.rsplit("/", 1)[0] not in done.stdout
