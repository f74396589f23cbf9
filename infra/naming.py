"""Name what an event declares, within the limits of every AWS service it is declared in."""

from __future__ import annotations

import re
from hashlib import sha256

from contracts.errors import AskedWrongly

PREFIX = "rampart"
SUFFIX_LENGTH = 8
"""Pulumi appends a hyphen and seven characters of its own to a logical name."""
LONGEST = 64 - SUFFIX_LENGTH
"""IAM's roles have the shortest names of all: 64 characters."""
BUILD_DATE = " {{ imagebuilder:buildDate }}"
LONGEST_AMI_NAME = 127
"""Image Builder's limit, before it fills in the date."""


def logical_name(event: str, purpose: str) -> str:
    """Name a resource by its event and purpose; an event name too long is cut and told apart by a hash."""
    name = f"{PREFIX}-{event}-{purpose}"
    if len(name) <= LONGEST:
        return name
    mark = sha256(event.encode()).hexdigest()[:6]
    kept = event[: len(event) - (len(name) - LONGEST) - len(mark) - 1]
    return f"{PREFIX}-{kept}-{mark}-{purpose}"


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
