"""`infra.storage`: where an event's data and results are kept on AWS."""

from __future__ import annotations

from pydantic import Field

from contracts.event_values import Count
from contracts.section import Section


class Storage(Section):
    """`infra.storage`: a private bucket, and a file system that machines share."""

    bucket: bool = Field(
        default=False,
        description="a private S3 bucket: `data/` for what image builds read, `results/` for what runs leave",
        examples=["true"],
    )
    results_days: Count = Field(
        default=365, ge=1, le=3650, description="how long `results/` are kept, in days", examples=["90"]
    )
    efs: bool = Field(
        default=False, description="an encrypted EFS file system with a mount target in each subnet", examples=["true"]
    )
    keep: bool = Field(
        default=False,
        description="leave bucket and file system behind at `destroy`, instead of emptying and deleting them",
        examples=["true"],
    )
