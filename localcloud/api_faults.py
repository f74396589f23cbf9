"""Stand between AWS's clients and the API: count every call, hurt those that a fault names."""

from __future__ import annotations

import io
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from localcloud import aws_errors
from localcloud.aws_errors import Refusal
from localcloud.injections import Injections, LostAnswer, Slow, Throttle, names_action
from localcloud.mishaps import Mishap

WSGIApp = Callable[[dict[str, Any], Any], Iterable[bytes]]
_THROTTLED = Refusal("503 Service Unavailable", "RequestLimitExceeded", "Request limit exceeded.")


class ApiFaults:
    """The calls of one cloud, counted by action; refused ones count too."""

    def __init__(self, injections: Injections) -> None:
        self._injections = injections
        self._calls: Counter[str] = Counter()
        self._lock = threading.Lock()

    def calls(self) -> Counter[str]:
        with self._lock:
            return Counter(self._calls)

    def meets(self, action: str) -> Mishap:
        """Count a call, and tell what befalls it on purpose; what is slow has been waited for by then."""
        with self._lock:
            self._calls[action] += 1
        if slow := self._injections.strike(Slow, lambda fault: names_action(fault, action)):
            time.sleep(slow.delay_s)  # the latency that was asked for
        if self._injections.strike(Throttle, lambda fault: names_action(fault, action)):
            return Mishap.THROTTLED
        if self._injections.strike(LostAnswer, lambda fault: names_action(fault, action)):
            return Mishap.ANSWER_LOST
        return Mishap.NONE

    def around(self, app: WSGIApp) -> WSGIApp:
        """The application with this in front of it."""

        def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            action = _action(environ)
            if aws_errors.is_ec2(environ):
                return self._answer_ec2(app, action, environ, start_response)
            with self._lock:
                self._calls[action] += 1
            return app(environ, start_response)

        return answer

    def _answer_ec2(self, app: WSGIApp, action: str, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        mishap = self.meets(action)
        if mishap is Mishap.THROTTLED:
            status, headers, body = aws_errors.answer(_THROTTLED, environ)
            start_response(status, headers)
            return [body]
        if mishap is Mishap.ANSWER_LOST:
            list(app(environ, lambda *_: None))
            raise ConnectionResetError("the answer is lost on purpose")  # the server closes, and writes nothing
        return app(environ, start_response)


def _action(environ: dict[str, Any]) -> str:
    """The name of the operation as AWS writes it; method and path for REST APIs, which have none."""
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).rpartition(".")[2]
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if found := parse_qs(body.decode("utf-8", errors="replace")).get("Action"):
            return str(found[0])
    return f"{environ.get('REQUEST_METHOD', '')} {environ.get('PATH_INFO', '')}"
