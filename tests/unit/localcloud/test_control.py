"""Who may do what through the control door."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus

from contracts.errors import UnknownName
from localcloud.control import Control
from localcloud.small_http import Reply, Request


def ask(path: str, *, method: str = "POST", key: str = "right", body: bytes = b"") -> tuple[Reply, list[str]]:
    lost: list[str] = []

    def lose(instance_id: str) -> None:
        if instance_id == "i-0":
            raise UnknownName("no running instance i-0", hint="look")
        lost.append(instance_id)

    control = Control("right", {"lose": lose, "echo": lambda argument: {"said": argument}})
    request = Request(method, path, {"authorization": f"Bearer {key}"}, body)
    return asyncio.run(control.handle(request)), lost


def test_an_action_is_done_for_who_has_the_token() -> None:
    reply, lost = ask("/lose/i-1")
    assert (reply.status, lost) == (HTTPStatus.OK, ["i-1"])


def test_nothing_is_done_without_the_token() -> None:
    reply, lost = ask("/lose/i-1", key="wrong")
    assert (reply.status, lost) == (HTTPStatus.FORBIDDEN, [])


def test_a_page_in_a_browser_cannot_cause_an_action() -> None:
    reply, lost = ask("/lose/i-1", method="GET")
    assert (reply.status, lost) == (HTTPStatus.NOT_FOUND, [])


def test_an_unknown_action_is_answered_with_the_known_ones() -> None:
    reply, _ = ask("/explode/i-1")
    assert json.loads(reply.body) == {"message": "no action explode", "hint": "lose, echo"}


def test_a_refusal_carries_its_hint() -> None:
    reply, _ = ask("/lose/i-0")
    assert reply.status == HTTPStatus.BAD_REQUEST
    assert json.loads(reply.body) == {"message": "no running instance i-0", "hint": "look"}


def test_what_an_action_gives_is_the_answer_and_its_argument_may_be_the_body() -> None:
    reply, _ = ask("/echo", body=b'{"a": 1}')
    assert json.loads(reply.body) == {"said": '{"a": 1}'}
