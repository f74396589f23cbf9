"""The machine images a local cloud offers from the start."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_LOGIN_USER = "ubuntu"


@dataclass(frozen=True, slots=True)
class BaseImage:
    """A public image, in every region under the same id; `parameters` are the SSM parameters that name it."""

    image_id: str
    name: str
    description: str
    owner_id: str
    owner_alias: str
    login_user: str
    parameters: tuple[str, ...]


BASE_IMAGES = (
    BaseImage(
        image_id="ami-0a24040000000cafe",
        name="ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260101",
        description="Stands for Canonical's Ubuntu 24.04 LTS; it is the machine the local cloud runs on, seen afresh",
        owner_id="099720109477",
        owner_alias="amazon",
        login_user=DEFAULT_LOGIN_USER,
        parameters=(
            "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
            "/aws/service/canonical/ubuntu/server/noble/stable/current/amd64/hvm/ebs-gp3/ami-id",
        ),
    ),
)
