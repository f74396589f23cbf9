"""Where instances listen."""

from __future__ import annotations

import socket
import sys
from types import SimpleNamespace

import pytest

from localcloud import addresses


def test_every_instance_has_its_own_address_and_keeps_it() -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux answers on every address of 127.0.0.0/8")
    first, first_door = addresses.listen()
    second, second_door = addresses.listen()
    with first_door, second_door:
        assert first.address != second.address
        assert first.connect_to == first.address
    again, door = addresses.listen(first.address)
    with door:
        assert again.address == first.address


def test_where_port_22_is_taken_another_port_of_the_address_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    place, door = addresses.listen()
    with door:
        monkeypatch.setattr(addresses, "SSH_PORT", place.port)
        beside, other_door = addresses.listen(place.address)
        with other_door, socket.create_connection((beside.connect_to, beside.port), timeout=5):
            assert beside.port != place.port


def test_elsewhere_than_on_linux_instances_differ_by_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "sys", SimpleNamespace(platform="darwin"))
    first, first_door = addresses.listen()
    second, second_door = addresses.listen()
    with first_door, second_door:
        assert (first.connect_to, second.connect_to) == ("127.0.0.1", "127.0.0.1")
        assert first.port != second.port
        assert first.address != second.address
