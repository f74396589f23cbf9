"""Name what an event declares, within the limits of every AWS service it is declared in."""

from __future__ import annotations

import re
from hashlib import sha256

from contracts.errors import AskedWrongly

PREFIX = "rampart"
SUFFIX_LENGTH = 8
"""Pulumi appends a hyphen and seven characters of its own to a logical name."""
LONGEST = 64 - SUFFIX_LENGTH
"""IAM's roles have the shortest names of all but buckets: 64 characters."""
LONGEST_BUCKET = 63 - SUFFIX_LENGTH
BUILD_DATE = " {{ imagebuilder:buildDate }}"
LONGEST_AMI_NAME = 127
"""Image Builder's limit, before it fills in the date."""


def logical_name(event: str, purpose: str, *, longest: int = LONGEST) -> str:
    """Name a resource by its event and purpose; an event name too long is cut and told apart by a hash."""
    name = f"{PREFIX}-{event}-{purpose}"
    if len(name) <= longest:
        return name
    mark = sha256(event.encode()).hexdigest()[:6]
    kept = event[: len(event) - (len(name) - longest) - len(mark) - 1]
    return f"{PREFIX}-{kept}-{mark}-{purpose}"


def bucket_name(event: str) -> str:
    """Name an event's bucket: S3 takes small letters, digits and hyphens."""
    return logical_name(event, "bucket", longest=LONGEST_BUCKET).lower().replace("_", "-")


def image_log_group_prefix(event: str) -> str:
    """Begin the name of the group of an event's image logs.

    It begins as Image Builder's own do: into any other one neither the service nor AWS's policy for build instances
    may write.
    """
    return f"/aws/imagebuilder/{PREFIX}-{event}-"


def partition(region: str) -> str:
    """Tell the AWS partition (the second field of an ARN) that a region belongs to."""
    if region.startswith("cn-"):
        return "aws-cn"
    if region.startswith("us-gov-"):
        return "aws-us-gov"
    return "aws"


def ami_name(base: str) -> str:
    """Name the AMIs of an event: Image Builder fills in the build date, which keeps the names apart.

    Raises AskedWrongly for a name that EC2 knows but Image Builder does not make.
    """
    name = base + BUILD_DATE
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9 ._-]*", base) or len(name) > LONGEST_AMI_NAME:
        most = LONGEST_AMI_NAME - len(BUILD_DATE)
        hint = f"write at most {most} letters, digits, blanks, dots, - or _ as worker.ami_image_name"
        raise AskedWrongly(f"Image Builder cannot name an image {base!r}", hint=hint)
    return name
