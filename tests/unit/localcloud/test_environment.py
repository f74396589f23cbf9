"""The variables by which clients find the local cloud."""

from __future__ import annotations

import shlex
from pathlib import Path

from localcloud.environment import as_exports, environment


def variables_of(**outer: str) -> dict[str, str]:
    return environment(
        aws_url="http://a",
        imagebuilder_url="http://b",
        ssh_config=Path("/c"),
        prefix=Path("/venv"),
        state_dir=Path("/state"),
        outer=outer,
    )


def test_an_image_of_this_cloud_already_holds_the_environment() -> None:
    variables = variables_of()
    assert variables["RAMPART_IMAGE_ENVIRONMENT"] == "existing"
    assert variables["RAMPART_IMAGE_PREFIX"] == "/venv"
    assert variables["AWS_ENDPOINT_URL_IMAGEBUILDER"] == "http://b"


def test_loopback_is_excepted_from_a_proxy_beside_what_already_is() -> None:
    assert "NO_PROXY" not in variables_of(NO_PROXY="intranet")
    variables = variables_of(HTTP_PROXY="http://proxy:3128", NO_PROXY="intranet")
    assert variables["NO_PROXY"] == variables["no_proxy"] == "intranet,127.0.0.1"


def test_a_shell_reads_back_exactly_what_was_meant() -> None:
    lines = as_exports({"A": "it's $HOME", "B": "plain"}).splitlines()
    assert [shlex.split(line) for line in lines] == [["export", "A=it's $HOME"], ["export", "B=plain"]]
