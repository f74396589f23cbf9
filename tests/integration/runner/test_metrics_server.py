"""Prometheus finds the figures on loopback, whatever else is asked of the port."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from contracts.errors import AskedWrongly
from runner.telling import metrics_server


@pytest.fixture
def port() -> Iterator[int]:
    with metrics_server.served(0, lambda: "rampart_hosts 2\n") as port:
        yield port


def test_the_figures_are_answered_in_prometheus_text_format(port: int) -> None:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        assert answer.read() == b"rampart_hosts 2\n"
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_nothing_else_is_answered(port: int) -> None:
    with pytest.raises(HTTPError, match="404") as caught:
        urlopen(f"http://127.0.0.1:{port}/../etc/passwd", timeout=30)
    caught.value.close()


@pytest.mark.parametrize("said", [b"\0\xff\r\n\r\n", b"GET " + b"x" * 70_000 + b"\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n"])
def test_what_is_no_question_hurts_nobody(port: int, said: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as stranger:
        stranger.sendall(said)
        stranger.shutdown(socket.SHUT_WR)
    test_the_figures_are_answered_in_prometheus_text_format(port)


def test_a_port_that_is_taken_is_told() -> None:
    with metrics_server.served(0, str) as port:
        second = metrics_server.served(port, str)
        with pytest.raises(AskedWrongly, match=f"port {port} on 127.0.0.1"):
            second.__enter__()
