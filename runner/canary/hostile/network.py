"""Reach somebody: the metadata service, the world, machines and services beside.

Everything that is sent says who sends it, so that bait can tell a job from the look around before it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from collections.abc import Callable
from functools import partial

from runner.canary.hostile.trying import Impossible, Plan, Stopped, any_of, number_of, system_call

_PATIENCE_S = 1.0
_NO_WAY = frozenset({errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTUNREACH, errno.EPERM, errno.EACCES})
_FAMILIES = {"AF_PACKET": 17, "AF_VSOCK": 40, "AF_ALG": 38, "AF_KEY": 15, "AF_NETLINK": 16, "AF_XDP": 44}
_NEEDS_NO_RIGHTS = frozenset({"AF_VSOCK", "AF_ALG", "AF_NETLINK"})


def metadata(plan: Plan) -> str:
    """Ask the instance metadata service as its first version allows, without a token."""
    return _asked(plan, "GET /latest/meta-data/ HTTP/1.0\r\n")


def metadata_token(plan: Plan) -> str:
    """Ask it for a session token, with which it tells user data and credentials."""
    return _asked(plan, "PUT /latest/api/token HTTP/1.0\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n")


def tcp(plan: Plan) -> str:
    """Connect to a machine that is far away."""
    return _left_the_host(lambda: _connected(plan, "tcp", plan.outside, _port(plan, 443)))


def udp(plan: Plan) -> str:
    """Send a packet there."""
    return _left_the_host(lambda: _sent(plan, "udp", plan.outside, _port(plan, 4789)))


def dns(plan: Plan) -> str:
    """Ask a name server: names can carry data."""
    resolvers = plan.resolvers or _resolvers()
    if not resolvers:
        raise Impossible("no name server is set")
    return any_of(partial(_named, plan, one) for one in resolvers)


def beside(plan: Plan) -> str:
    """Connect to a service at an address of the host's network."""
    if not plan.addresses:
        raise Impossible("the host has no address but loopback")
    return any_of(partial(_connected, plan, "beside", one, plan.bait_port) for one in plan.addresses)


def loopback(plan: Plan) -> str:
    """Connect to services of the host that trust whoever is on it."""
    return any_of(
        (
            lambda: _connected(plan, "loopback", "127.0.0.1", plan.bait_port),
            lambda: _sent(plan, "loopback", "127.0.0.1", plan.bait_port, answered=True),
            lambda: _connected(plan, "loopback", "127.0.0.1", 22),
        )
    )


def abstract_socket(plan: Plan) -> str:
    """Connect to a socket that has a name but no place."""
    return _connected_by_name(plan, "abstract-socket", "\0" + plan.abstract_socket)


def file_sockets(plan: Plan) -> str:
    """Connect to sockets of services: the login user's, D-Bus, Docker."""
    there = [path for path in plan.file_sockets if len(path.encode()) < 108]
    if not there:
        raise Impossible("no socket could be made")
    return any_of(partial(_connected_by_name, plan, "file-sockets", path) for path in there)


def families(plan: Plan) -> str:
    """Make sockets that speak past IP: to the hypervisor, to the wire, to the kernel; by io_uring too."""
    tries = [partial(_made, name, number) for name, number in _FAMILIES.items()]
    return any_of([*tries, _ring])


def _asked(plan: Plan, request: str) -> str:
    with socket.create_connection((plan.metadata, 80), timeout=2 * _PATIENCE_S) as connection:
        connection.sendall(f"{request}User-Agent: {_greeting(plan, 'metadata')}\r\n\r\n".encode())
        answer = connection.recv(200).decode("ascii", "replace")
    return f"it answers: {answer.splitlines()[0] if answer else 'nothing'}"


def _left_the_host(send: Callable[[], str]) -> str:
    """What a packet that nobody answers has done all the same: it went on its way."""
    try:
        return send()
    except socket.timeout:
        return "sent, and not answered"
    except OSError as error:
        if error.errno in _NO_WAY:
            raise
        return f"sent, and answered: {error.strerror}"


def _connected(plan: Plan, what: str, address: str, port: int) -> str:
    with socket.create_connection((address, port), timeout=_PATIENCE_S) as connection:
        connection.sendall(_greeting(plan, what).encode())
    return f"connected to {address}:{port}"


def _sent(plan: Plan, what: str, address: str, port: int, *, answered: bool = False) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(_PATIENCE_S)
        one.connect((address, port))
        one.send(_greeting(plan, what).encode())
        if answered:
            one.recv(1)
    return f"sent to {address}:{port}"


def _connected_by_name(plan: Plan, what: str, name: str) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.settimeout(_PATIENCE_S)
        one.connect(name)
        if plan.token in name:
            one.sendall(_greeting(plan, what).encode())
    return f"connected to {name!r}"


def _named(plan: Plan, resolver: str) -> str:
    """Any answer will do, and silence too: the question went on its way."""
    address, _, port = resolver.partition("#")
    question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + _name("rampart-canary", "invalid") + b"\0\1\0\1"
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(_PATIENCE_S)
        one.connect((address, int(port or 53)))
        one.send(question + _greeting(plan, "dns").encode())
        try:
            one.recv(100)
        except socket.timeout:
            return f"{address} was asked, and did not answer"
    return f"{address} answered"


def _name(*labels: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def _resolvers() -> list[str]:
    try:
        with open("/etc/resolv.conf", encoding="utf-8", errors="replace") as file:
            words = [line.split() for line in file]
    except OSError:
        return []
    return [line[1].partition("%")[0] for line in words if len(line) > 1 and line[0] == "nameserver"][:2]


def _made(name: str, number: int) -> str:
    kind = socket.SOCK_SEQPACKET if name == "AF_ALG" else socket.SOCK_RAW if name != "AF_VSOCK" else socket.SOCK_STREAM
    try:
        socket.socket(number, kind, 0).close()
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT and name not in _NEEDS_NO_RIGHTS:
            raise Impossible(f"no {name} in this kernel") from error
        raise
    return f"made a socket of {name}"


def _ring() -> str:
    """A ring makes sockets of any family without a call that could be looked at."""
    room = ctypes.create_string_buffer(120)
    os.close(system_call(number_of(425, 425), ctypes.c_uint(1), room))
    return "made a ring (io_uring)"


def _port(plan: Plan, usual: int) -> int:
    """Where bait stands for the outside, it listens on its own port."""
    return plan.bait_port if plan.outside in plan.addresses else usual


def _greeting(plan: Plan, what: str) -> str:
    if not plan.token:
        raise Stopped("nobody says who sends this")
    return f" {plan.token} {'job' if plan.is_inside else 'look'} {what} "
