"""One process can hold a local cloud again and again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# in a process of its own: the test process may hold a cloud already
_TWICE = """
import threading
import boto3
from localcloud import LocalCloud
from localcloud.machines import Level
for _ in range(2):
    with LocalCloud(level=Level.PLAIN) as cloud:
        environment = cloud.environment
        session = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name="eu-west-3")
        ec2 = session.client("ec2", endpoint_url=environment["AWS_ENDPOINT_URL"])
        images = [image["ImageId"] for image in ec2.describe_images()["Images"]]
        ec2.run_instances(ImageId=images[0], MinCount=1, MaxCount=1)
    print(len(images), [thread.name for thread in threading.enumerate()], cloud.folder.exists())
"""


def test_a_second_cloud_offers_what_the_first_one_did_and_nothing_is_left_of_either() -> None:
    repository = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", _TWICE], cwd=repository, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "1 ['MainThread'] False\n" * 2, done.stderr
