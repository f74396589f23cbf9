"""Write what Pulumi's engine reports, in the form of its event log."""

from __future__ import annotations

from typing import Any

Event = dict[str, Any]

VPC = "aws:ec2/vpc:Vpc"
BUCKET = "aws:s3/bucket:Bucket"


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:iris::rampart::rampart:network:Network${kind}::{name}"


def step(op: str, name: str, kind: str = VPC, *, custom: bool = True, retained: bool = False) -> Event:
    state = {"type": kind, "urn": urn(kind, name), "custom": custom, "retainOnDelete": retained}
    sides = {"old": state} if op.startswith("delete") else {"new": state}
    return {"op": op, "urn": urn(kind, name), "type": kind, "provider": "", **sides}


def begins(op: str, name: str, kind: str = VPC, *, at: int = 100, planning: bool = False, **more: bool) -> Event:
    metadata = step(op, name, kind, **more)
    return {"timestamp": at, "resourcePreEvent": {"metadata": metadata, "planning": planning}}


def ends(op: str, name: str, kind: str = VPC, *, at: int = 103, **more: bool) -> Event:
    return {"timestamp": at, "resOutputsEvent": {"metadata": step(op, name, kind, **more)}}


def fails(op: str, name: str, kind: str = VPC) -> Event:
    return {"timestamp": 105, "resOpFailedEvent": {"metadata": step(op, name, kind), "status": 1, "steps": 1}}


def says(text: str, *, severity: str = "error", about: str = "", ephemeral: bool = False) -> Event:
    said = {"message": text, "color": "raw", "severity": severity, "ephemeral": ephemeral, "urn": about}
    return {"timestamp": 104, "diagnosticEvent": said}


def summary(**changes: int) -> Event:
    return {"timestamp": 110, "summaryEvent": {"durationSeconds": 10, "resourceChanges": changes}}


END: Event = {"timestamp": 111, "cancelEvent": {}}
