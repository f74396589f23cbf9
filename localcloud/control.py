"""Let other processes of the same user inject faults into a running cloud, or end it."""

from __future__ import annotations

import asyncio
import hmac
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from contracts.errors import RampartError
from localcloud.small_http import Reply, Request
from localcloud.state import State

Action = Callable[[str], object]
_TIMEOUT_S = 30.0


class Control:
    """Answers `POST /<action>/<argument>`, the argument in the body where it is none of a path's words.

    Actions block, so they run beside the loop; what they give is the answer.
    """

    def __init__(self, token: str, actions: Mapping[str, Action]) -> None:
        self._token = token
        self._actions = actions

    async def handle(self, request: Request) -> Reply:
        if not hmac.compare_digest(request.headers.get("authorization", ""), f"Bearer {self._token}"):
            return Reply(HTTPStatus.FORBIDDEN)
        name, _, argument = request.path.strip("/").partition("/")
        action = self._actions.get(name)
        if request.method != "POST" or action is None:
            return _json(HTTPStatus.NOT_FOUND, {"message": f"no action {name}", "hint": ", ".join(self._actions)})
        try:
            argument = argument or request.body.decode()
            given = await asyncio.get_running_loop().run_in_executor(None, action, argument)
        except RampartError as error:
            return _json(HTTPStatus.BAD_REQUEST, {"message": error.message, "hint": error.hint})
        return _json(HTTPStatus.OK, {} if given is None else given)


def ask(state: State, action: str, argument: str = "", *, body: str = "") -> Any:
    """Ask a running cloud for an action; raises RampartError when it refuses or does not answer."""
    request = urllib.request.Request(  # noqa: S310 (the URL is our own state file's)
        f"{state.control_url}/{action}/{argument}",
        data=body.encode(),
        method="POST",
        headers={"Authorization": f"Bearer {state.control_token}"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as reply:
            return json.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            answer = json.loads(error.read() or b"{}")
        raise RampartError(answer.get("message", f"refused: {error}"), hint=answer.get("hint", "")) from error
    except OSError as error:
        raise RampartError(f"the local cloud does not answer: {error}", hint="python -m localcloud status") from error


def _json(status: HTTPStatus, content: object) -> Reply:
    return Reply(status, json.dumps(content).encode(), "application/json")
