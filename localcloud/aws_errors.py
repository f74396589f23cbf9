"""Write errors as AWS's protocols do."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from typing import Any

Answer = tuple[str, list[tuple[str, str]], bytes]


@dataclass(frozen=True, slots=True)
class Refusal:
    """What AWS says no with; `status` as HTTP writes it: "503 Service Unavailable"."""

    status: str
    code: str
    message: str


class Refused(Exception):
    """A call is refused with a status that moto's own errors cannot carry: they are all 400."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def answer(refusal: Refusal, environ: dict[str, Any]) -> Answer:
    """Status line, headers and body, in the protocol of the request."""
    code, message = refusal.code, refusal.message
    if "json" in environ.get("CONTENT_TYPE", ""):
        headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", code)]
        return refusal.status, headers, json.dumps({"__type": code, "message": message}).encode()
    inner = f"<Error><Code>{code}</Code><Message>{html.escape(message, quote=False)}</Message></Error>"
    xml = (
        f"<Response><Errors>{inner}</Errors></Response>"
        if is_ec2(environ)
        else f"<ErrorResponse>{inner}</ErrorResponse>"
    )
    # REST APIs that answer in JSON send requests without a content type, and read the code from this header
    return refusal.status, [("Content-Type", "text/xml"), ("x-amzn-ErrorType", code)], xml.encode()


def is_ec2(environ: dict[str, Any]) -> bool:
    """Say by its signature whether a request is for EC2."""
    return "/ec2/aws4_request" in environ.get("HTTP_AUTHORIZATION", "")
