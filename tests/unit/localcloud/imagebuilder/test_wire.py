"""Requests are read and checked by the service's own model."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.imagebuilder import wire
from localcloud.imagebuilder.refusals import Refusal

RECIPE = "arn:aws:imagebuilder:eu-west-3:123456789012:image-recipe/iris/1.0.0"


def component(**changes: Any) -> bytes:
    request = {"name": "iris", "semanticVersion": "1.0.0", "platform": "Linux", "data": "x", "clientToken": "token"}
    return json.dumps({name: value for name, value in {**request, **changes}.items() if value is not None}).encode()


def refusal(method: str, target: str, body: bytes = b"") -> Refusal:
    with pytest.raises(Refusal) as caught:
        wire.parse(method, target, body)
    return caught.value


def test_a_request_is_known_by_its_method_and_path() -> None:
    call = wire.parse("PUT", "/CreateComponent", component())
    assert (call.operation, call.arguments["name"]) == ("CreateComponent", "iris")


def test_arguments_come_from_path_and_query_too() -> None:
    quoted = RECIPE.replace(":", "%3A").replace("/", "%2F")
    assert wire.parse("GET", f"/tags/{quoted}", b"").arguments == {"resourceArn": RECIPE}
    untag = wire.parse("DELETE", f"/tags/{quoted}?tagKeys=a&tagKeys=b", b"")
    assert untag.arguments == {"resourceArn": RECIPE, "tagKeys": ["a", "b"]}
    assert wire.parse("GET", f"/GetImageRecipe?imageRecipeArn={quoted}", b"").arguments == {"imageRecipeArn": RECIPE}


def test_an_address_no_operation_has_is_refused() -> None:
    assert refusal("POST", "/CreateComponent").code == "UnknownOperationException"


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"name": "ab"}, "InvalidParameterValueException", "'name'"),
        ({"name": None}, "InvalidRequestException", "name"),
        ({"semanticVersion": "1.0"}, "InvalidParameterValueException", "'semanticVersion'"),
        ({"platform": "BeOS"}, "InvalidParameterValueException", "none of Windows, Linux"),
        ({"data": "x" * 16_001}, "InvalidParameterValueException", "1..16000"),
        ({"clientToken": "t" * 65}, "InvalidParameterValueException", "'clientToken'"),
        ({"tags": {"k": "v" * 257}}, "InvalidParameterValueException", "'tags.k'"),
        ({"nonsense": 1}, "InvalidRequestException", "nonsense"),
        ({"name": 7}, "InvalidRequestException", "name"),
    ],
)
def test_a_request_that_breaks_the_model_is_refused(changes: dict[str, Any], code: str, words: str) -> None:
    found = refusal("PUT", "/CreateComponent", component(**changes))
    assert found.code == code
    assert words in found.message


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff\xfe"])
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    assert refusal("PUT", "/CreateComponent", body).code == "InvalidRequestException"


def test_an_answer_holds_what_the_model_names_and_nothing_else() -> None:
    reply = wire.answer("CreateComponent", {"clientToken": "t", "secret": "s"})
    assert json.loads(reply.body) == {"requestId": reply.headers["x-amzn-RequestId"], "clientToken": "t"}


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ResourceNotFoundException", 404),
        ("ResourceAlreadyExistsException", 400),
        ("NotImplementedException", 501),
        ("InternalFailure", 500),
    ],
)
def test_an_error_has_its_name_in_the_header_and_its_own_status(code: str, status: int) -> None:
    reply = wire.refuse(Refusal(code, "because"))
    assert (reply.status, reply.headers["x-amzn-ErrorType"]) == (status, code)
    assert json.loads(reply.body) == {"message": "because"}


def test_the_region_is_the_one_a_request_is_signed_for() -> None:
    header = "AWS4-HMAC-SHA256 Credential=AKIA/20261120/eu-west-3/imagebuilder/aws4_request, SignedHeaders=host"
    assert wire.region(header) == "eu-west-3"
    assert wire.region(None) is None
