"""Translate between HTTP and Image Builder's operations, as botocore's service model describes them."""

from __future__ import annotations

import json
import re
import uuid
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import botocore.session
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

from localcloud.imagebuilder.refusals import Refusal

_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/([a-z0-9-]+)/imagebuilder/aws4_request")
_PLAIN_STATUS = {"NotImplementedException": 501, "UnknownOperationException": 404, "InternalFailure": 500}


@dataclass(frozen=True, slots=True)
class Call:
    """One request, understood: which operation with which arguments."""

    operation: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back over HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes


def parse(method: str, target: str, body: bytes) -> Call:
    """Read a request; raises Refusal when no operation has that address or an argument breaks the model."""
    url = urlsplit(target)
    for pattern, operation in _routes():
        found = pattern.fullmatch(url.path)
        if found and operation.http["method"] == method:
            arguments = _arguments(operation, found.groupdict(), parse_qs(url.query), body)
            _validate(operation, arguments)
            return Call(operation.name, arguments)
    raise Refusal("UnknownOperationException", f"Image Builder has no operation at {method} {url.path}.")


def region(authorization: str | None) -> str | None:
    """The region a request is signed for, from its Authorization header's credential scope."""
    found = _SCOPE.search(authorization or "")
    return found[1] if found else None


def answer(operation: str, result: Mapping[str, Any]) -> Reply:
    """Write an operation's result: what its output shape names, nothing else."""
    request_id = str(uuid.uuid4())
    shape = _model().operation_model(operation).output_shape
    content = _shaped(shape, {"requestId": request_id, **result}) if shape is not None else {}
    return Reply(200, _headers(request_id), json.dumps(content).encode())


def refuse(refusal: Refusal) -> Reply:
    """Write an error in AWS's JSON form."""
    headers = {**_headers(str(uuid.uuid4())), "x-amzn-ErrorType": refusal.code}
    return Reply(_status(refusal.code), headers, json.dumps({"message": refusal.message}).encode())


@cache
def _model() -> ServiceModel:
    return botocore.session.get_session().get_service_model("imagebuilder")


@cache
def _routes() -> tuple[tuple[re.Pattern[str], OperationModel], ...]:
    model = _model()
    operations = [model.operation_model(name) for name in model.operation_names]
    return tuple((_path_pattern(operation.http["requestUri"]), operation) for operation in operations)


def _path_pattern(template: str) -> re.Pattern[str]:
    """`/tags/{resourceArn}` as a pattern; an encoded slash may stand for itself."""
    pieces = re.split(r"\{(\w+)\}", template)
    return re.compile("".join(f"(?P<{piece}>.+)" if i % 2 else re.escape(piece) for i, piece in enumerate(pieces)))


def _arguments(
    operation: OperationModel, path: Mapping[str, str], query: Mapping[str, list[str]], body: bytes
) -> dict[str, Any]:
    shape = operation.input_shape
    arguments = _body(body) if body else {}
    for name, member in (shape.members if shape is not None else {}).items():
        wire_name = member.serialization.get("name", name)
        where = member.serialization.get("location")
        if where == "uri" and wire_name in path:
            arguments[name] = unquote(path[wire_name])
        elif where == "querystring" and wire_name in query:
            arguments[name] = query[wire_name] if isinstance(member, ListShape) else query[wire_name][0]
    return arguments


def _body(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError as error:
        raise Refusal("InvalidRequestException", f"The request's body is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise Refusal("InvalidRequestException", "The request's body is not a JSON object.")
    return {name: value for name, value in content.items() if value is not None}


def _validate(operation: OperationModel, arguments: dict[str, Any]) -> None:
    shape = operation.input_shape
    if shape is None:
        return
    report = ParamValidator().validate(arguments, shape)
    if report.has_errors():
        raise Refusal("InvalidRequestException", report.generate_report())
    for fault in _faults(shape, arguments, ""):
        raise Refusal("InvalidParameterValueException", fault)


def _faults(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """What botocore leaves to the service: patterns, enumerations, lengths and upper bounds."""
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            if member is not None:
                yield from _faults(shape.members[name], member, f"{path}.{name}" if path else name)
    elif isinstance(shape, ListShape):
        yield from _size_faults(shape, len(value), path)
        for index, item in enumerate(value):
            yield from _faults(shape.member, item, f"{path}[{index}]")
    elif isinstance(shape, MapShape):
        yield from _size_faults(shape, len(value), path)
        for key, item in value.items():
            yield from _faults(shape.key, key, f"{path} key {key!r}")
            yield from _faults(shape.value, item, f"{path}.{key}")
    elif isinstance(value, str):
        yield from _size_faults(shape, len(value), path)
        yield from _text_faults(shape, value, path)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield from _size_faults(shape, value, path)


def _size_faults(shape: Shape, size: int, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and size < low) or (high is not None and size > high):
        yield f"The value supplied for parameter '{path}' is not valid: {size} is not within {low or 0}..{high or '∞'}."


def _text_faults(shape: Shape, value: str, path: str) -> Iterator[str]:
    choices = shape.metadata.get("enum")
    if choices and value not in choices:
        yield f"The value supplied for parameter '{path}' is not valid: '{value}' is none of {', '.join(choices)}."
    pattern = shape.metadata.get("pattern")
    if pattern and not _compiled(pattern).search(value):
        yield f"The value supplied for parameter '{path}' is not valid: '{value[:200]}' does not match {pattern}."


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the model's patterns are written for another dialect
        return re.compile(pattern)


def _shaped(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        members = shape.members
        return {
            name: _shaped(members[name], item) for name, item in value.items() if name in members and item is not None
        }
    if isinstance(shape, ListShape):
        return [_shaped(shape.member, item) for item in value]
    return value


def _headers(request_id: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "x-amzn-RequestId": request_id}


def _status(code: str) -> int:
    if code in _PLAIN_STATUS:
        return _PLAIN_STATUS[code]
    return int(_model().shape_for(code).metadata.get("error", {}).get("httpStatusCode", 400))
