"""Serve moto's AWS API on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.backends import list_of_moto_modules
from moto.core.base_backend import BackendDict
from moto.core.config import default_user_config
from moto.core.model_instances import reset_model_data
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from localcloud import addresses, aws_errors
from localcloud.aws_errors import Refusal, Refused

_POLL_S = 0.05  # how long ending waits at most

WSGIApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


class _QuietHandler(MotoRequestHandler):
    """Request lines belong to no one's terminal."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""

    def connection_dropped(self, error: BaseException, environ: dict[str, Any] | None = None) -> None:
        """Close it on our side too: a client whose answer is lost on purpose must not wait for its own patience."""
        super().connection_dropped(error, environ)
        self.close_connection = True


class _Services(DomainDispatcherApplication):
    """moto's services; one it does not have is refused as such."""

    def get_backend_for_host(self, host: str | None) -> Any:
        known = host is None or host in list_of_moto_modules()
        if not known and not any(pattern.match(f"http://{host}") for _, pattern in self.backend_url_patterns):
            elsewhere = "; its endpoint is AWS_ENDPOINT_URL_IMAGEBUILDER" if "imagebuilder" in str(host) else ""
            raise NotImplementedError(f"no service answers here for {host}{elsewhere}")
        return super().get_backend_for_host(host)


class MotoServer:
    """moto's server in a thread of its own, on 127.0.0.1; port 0 takes a free one. Raises OSError when it is taken.

    `around` puts something between the clients and the API.
    """

    def __init__(self, port: int, around: Callable[[WSGIApp], WSGIApp]) -> None:
        default_user_config["iam"]["load_aws_managed_policies"] = True  # roles attach AWS's own policies by name
        app = around(_with_aws_errors(_Services(create_backend_app)))
        with addresses.bound("127.0.0.1", port) as door:  # werkzeug itself ends the process when a port is taken
            self._port = door.getsockname()[1]
            self._server = make_server(
                "127.0.0.1", self._port, app, threaded=True, request_handler=_QuietHandler, fd=door.fileno()
            )
        self._server.daemon_threads = True  # type: ignore[attr-defined]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="localcloud-aws", daemon=True
        )

    def start(self) -> str:
        """Serve; gives the endpoint's URL."""
        self._thread.start()
        return f"http://127.0.0.1:{self._port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def forget_everything() -> None:
    """Empty every backend: moto keeps its state per process, not per server."""
    BackendDict.reset()
    reset_model_data()


def _with_aws_errors(app: WSGIApp) -> WSGIApp:
    """Answer what moto cannot do with an error AWS clients can read, instead of a page of HTML."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            return app(environ, start_response)
        except Exception as error:  # whatever a handler of moto's raises
            status, headers, body = aws_errors.answer(_refusal(error), environ)
            start_response(status, headers)
            return [body]

    return answer


def _refusal(error: Exception) -> Refusal:
    """501 is not tried again by AWS clients, 500 is; neither would help here."""
    if isinstance(error, Refused):
        return error.refusal
    code = "UnsupportedOperation" if isinstance(error, NotImplementedError) else "InternalError"
    message = f"the local cloud failed at this call: {type(error).__name__}: {error}"
    return Refusal("501 Not Implemented", code, message)
