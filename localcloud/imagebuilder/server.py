"""Serve the Image Builder emulator over HTTP on loopback."""

from __future__ import annotations

import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from localcloud.imagebuilder import wire
from localcloud.imagebuilder.ports import MachineOf
from localcloud.imagebuilder.refusals import Refusal
from localcloud.imagebuilder.regions import Regions
from localcloud.mishaps import Meets, Mishap, nothing

_LARGEST = 4 * 1024 * 1024


class ImageBuilderServer:
    """EC2 Image Builder for one local cloud; state in memory, build logs as files below `folder` too.

    `ec2_endpoint` answers for EC2, SSM, S3 and CloudWatch Logs; `machine_of` finds the machine of an instance.
    A request belongs to the region it is signed for, one without a signature to `region`. `meets` says what befalls
    each request on purpose.
    """

    def __init__(
        self, *, ec2_endpoint: str, region: str, machine_of: MachineOf, folder: Path, meets: Meets = nothing
    ) -> None:
        self._regions = Regions(region, endpoint=ec2_endpoint, machine_of=machine_of, folder=folder)
        self._meets = meets
        self._http: _Http | None = None
        self._thread: threading.Thread | None = None

    def start(self, port: int = 0) -> str:
        """Begin to serve and give the URL for AWS_ENDPOINT_URL_IMAGEBUILDER."""
        self._http = _Http(("127.0.0.1", port), self._regions, self._meets)
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, name="imagebuilder-http"
        )
        self._thread.start()
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def stop(self) -> None:
        """End everything: running builds are cancelled, their instances terminated; doing it twice is fine."""
        self._regions.close()
        if self._http is not None and self._thread is not None:
            self._http.shutdown()
            self._thread.join()
            self._http.server_close()
            self._http = self._thread = None


class _Http(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, address: tuple[str, int], regions: Regions, meets: Meets) -> None:
        self.regions = regions
        self.meets = meets
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away before its answer is nobody's fault."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One request per connection, so that no thread waits for a client that says nothing more."""

    server: _Http
    timeout = 5

    def do_GET(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged."""

    def _answer(self) -> None:
        reply = self._reply()
        if reply is None:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def _reply(self) -> wire.Reply | None:
        """Do what is asked and give the answer; None where it is to be lost."""
        try:
            length = self.headers.get("Content-Length") or "0"
            if not length.isdecimal() or int(length) > _LARGEST:
                return wire.refuse(Refusal("InvalidRequestException", f"A request may hold {_LARGEST} bytes."))
            call = wire.parse(self.command, self.path, self.rfile.read(int(length)))
            operations = self.server.regions.of(wire.region(self.headers.get("Authorization")))
            mishap = self.server.meets(call.operation)
            if mishap is Mishap.THROTTLED:
                raise Refusal("CallRateLimitExceededException", "You have exceeded the permitted request rate.")
            answer = operations.answer(call.operation, call.arguments)
            return None if mishap is Mishap.ANSWER_LOST else wire.answer(call.operation, answer)
        except Refusal as refusal:
            return wire.refuse(refusal)
        except Exception:  # a fault of the emulator itself is an answer, not a closed connection
            return wire.refuse(Refusal("InternalFailure", traceback.format_exc()))
