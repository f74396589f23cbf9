"""Answer Prometheus on this machine's loopback address."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from contracts.errors import AskedWrongly

_log = logging.getLogger(__name__)
_LOOPBACK = "127.0.0.1"
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PATIENCE_S = 10


@contextmanager
def served(port: int, text: Callable[[], str]) -> Iterator[int]:
    """Serve `text()` at /metrics for as long as the block lasts; gives the port, a free one for 0.

    Raises AskedWrongly where the port cannot be had.
    """
    try:
        server = _Server((_LOOPBACK, port), _handler(text))
    except (OSError, OverflowError) as error:
        hint = "name another one: --metrics-port N (0: any free one)"
        raise AskedWrongly(f"port {port} on {_LOOPBACK} cannot be had: {error}", hint=hint) from error
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # whoever keeps a connection open must not keep us

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the form it has
        """Strangers may break off; what else goes wrong is ours."""
        level = logging.DEBUG if isinstance(sys.exception(), OSError) else logging.ERROR
        _log.log(level, "a question to the metrics port failed", exc_info=True, extra={"action": "metrics"})


def _handler(text: Callable[[], str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE_S
        server_version = "rampart"
        sys_version = ""

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/metrics":
                self.send_error(404)
                return
            body = text().encode("utf-8")
            self.send_response(200)
            self.send_header("Content-Type", _CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """A scrape every few seconds is no event."""

    return Handler
