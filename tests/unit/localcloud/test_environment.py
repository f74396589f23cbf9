"""The variables by which clients find the local cloud."""

from __future__ import annotations

import shlex
from pathlib import Path

from localcloud.environment import as_exports, environment


def test_an_image_of_this_cloud_already_holds_the_environment() -> None:
    variables = environment(
        aws_url="http://a", imagebuilder_url="http://b", ssh_config=Path("/c"), prefix=Path("/venv")
    )
    assert variables["RAMPART_IMAGE_ENVIRONMENT"] == "existing"
    assert variables["RAMPART_IMAGE_PREFIX"] == "/venv"
    assert variables["AWS_ENDPOINT_URL_IMAGEBUILDER"] == "http://b"


def test_a_shell_reads_back_exactly_what_was_meant() -> None:
    lines = as_exports({"A": "it's $HOME", "B": "plain"}).splitlines()
    assert [shlex.split(line) for line in lines] == [["export", "A=it's $HOME"], ["export", "B=plain"]]
