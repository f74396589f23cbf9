"""Whatever reaches a host keeps the same promises."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from clients import keys, ssh
from clients.keepalive import Keepalive
from contracts.errors import CommandFailed, CommandTimedOut, HostKeyRefused, HostUnreachable, KeyFileInvalid
from contracts.remote import CommandResult
from runner.ports import Transport
from tests.contract.reachable import DIE, FAIL_LATE, FLOOD, PRINT, SLEEP, SPEAK, Reachable, SshHost

ODD = ("a b", "'", '"', "$HOME", "`id`", "ä ✓", "", "-n", "two\nlines", "\\", "*", ";", "&&", "%s", "#")


@pytest.fixture
def transport(host: Reachable) -> Iterator[Transport]:
    opened = host.connect()
    yield opened
    opened.close()


def test_exit_code_output_and_errors_come_back_apart(transport: Transport) -> None:
    assert transport.run(SPEAK) == CommandResult(3, b"out", b"err")


def test_a_missing_program_is_exit_code_127(transport: Transport) -> None:
    assert transport.run(["no-such-program-anywhere"]).exit_code == 127


def test_a_death_by_signal_is_exit_code_minus_one_and_the_connection_lives(transport: Transport) -> None:
    assert transport.run(DIE).exit_code == -1
    assert transport.run(SPEAK).exit_code == 3


def test_odd_arguments_arrive_as_they_are(transport: Transport) -> None:
    assert transport.run([*PRINT, *ODD]).text == "".join(f"{word}\n" for word in ODD)


def test_a_command_without_input_reads_the_end_at_once(transport: Transport) -> None:
    assert transport.run(["cat"]) == CommandResult(0, b"", b"")


def test_twenty_megabytes_go_in_and_come_out_intact(transport: Transport) -> None:
    data = bytes(range(250)) * 80_000
    assert transport.run(["cat"], stdin=data).stdout == data


def test_a_flood_on_one_stream_does_not_block_the_other(transport: Transport) -> None:
    result = transport.run(FLOOD)
    assert (len(result.stdout), len(result.stderr)) == (3_000_000, 3_000_000)


def test_a_command_past_its_time_is_reported_and_the_connection_lives(transport: Transport) -> None:
    with pytest.raises(CommandTimedOut, match="sleep 10 did not end within"):
        transport.run(SLEEP, timeout_s=0.2)
    assert transport.run(SPEAK).exit_code == 3


def test_chunks_are_sent_as_they_are_made(transport: Transport) -> None:
    assert transport.send(["cat"], (bytes([i]) * 1000 for i in range(100))).stdout[-1000:] == b"c" * 1000


@pytest.mark.parametrize("kind", [KeyError, OSError])
def test_what_fails_while_chunks_are_made_is_raised(transport: Transport, kind: type[Exception]) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"first"
        raise kind("the file is gone")

    with pytest.raises(kind, match="the file is gone"):
        transport.send(["cat"], chunks())
    assert transport.run(SPEAK).exit_code == 3


def test_output_is_received_piece_by_piece(transport: Transport) -> None:
    with transport.receive([*PRINT, "one", "two"]) as chunks:
        assert b"".join(chunks) == b"one\ntwo\n"


def test_a_received_command_that_fails_says_so_at_its_end(transport: Transport) -> None:
    with transport.receive(FAIL_LATE) as chunks:
        assert next(chunks) == b"some"
        with pytest.raises(CommandFailed, match="exit code 4: no space left") as caught:
            next(chunks)
    assert (caught.value.command_exit_code, caught.value.output_tail) == (4, "no space left")


def test_receiving_may_be_left_early(transport: Transport) -> None:
    with transport.receive(SLEEP) as chunks:
        assert iter(chunks) is not None
    assert transport.run(SPEAK).exit_code == 3


def test_several_threads_use_one_connection(transport: Transport) -> None:
    with ThreadPoolExecutor(4) as pool:
        words = list(pool.map(lambda i: transport.run([*PRINT, f"{i}"]).text, range(12)))
    assert words == [f"{i}\n" for i in range(12)]


def test_commands_that_end_before_their_input_leave_the_connection_to_the_others(transport: Transport) -> None:
    def speak_unread(_: int) -> int:
        return transport.send(SPEAK, (b"x" * 1000 for _ in range(20))).exit_code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(speak_unread, range(40))) == {3}


def test_closing_from_another_thread_ends_a_wait(transport: Transport) -> None:
    _assert_wait_ends(transport, transport.close)


def test_a_lost_host_ends_a_wait(host: Reachable, transport: Transport) -> None:
    _assert_wait_ends(transport, host.lose)


def test_a_closed_connection_is_unreachable(transport: Transport) -> None:
    transport.close()
    transport.close()
    with pytest.raises(HostUnreachable):
        transport.run(SPEAK)


def test_a_wrong_host_key_is_refused(ssh_host: SshHost) -> None:
    _, other = keys.new_host_key()
    with pytest.raises(HostKeyRefused, match="wrong host key"):
        ssh.connect(replace(ssh_host.address, host_key=other))


@pytest.mark.parametrize("host_key", ["", "ssh-ed25519", "no key at all"])
def test_a_host_without_a_known_key_is_refused(ssh_host: SshHost, host_key: str) -> None:
    with pytest.raises(HostKeyRefused, match="no host key is known"):
        ssh.connect(replace(ssh_host.address, host_key=host_key))


def test_a_host_that_does_not_know_our_key_is_unreachable(ssh_host: SshHost, tmp_path: Path) -> None:
    keys.new_key_file(tmp_path / "stranger")
    with pytest.raises(HostUnreachable, match="does not accept our key"):
        ssh.connect(replace(ssh_host.address, key_path=tmp_path / "stranger"))


def test_a_missing_key_file_is_told_before_anything_is_dialled(ssh_host: SshHost, tmp_path: Path) -> None:
    for path in (None, tmp_path / "none"):
        with pytest.raises(KeyFileInvalid):
            ssh.connect(replace(ssh_host.address, key_path=path))


def test_a_port_nobody_listens_on_is_unreachable(ssh_host: SshHost) -> None:
    with pytest.raises(HostUnreachable, match="does not answer"):
        ssh.connect(replace(ssh_host.address, port=1))


def test_an_ssh_config_tells_where_a_host_really_answers(ssh_host: SshHost, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(f"Host i.example\n  HostName 127.0.0.1\n  Port {ssh_host.address.port}\n")
    transport = ssh.connect(replace(ssh_host.address, address="i.example", port=22), ssh_config=config)
    assert transport.run(SPEAK).exit_code == 3
    transport.close()


def test_a_frozen_host_is_found_out_though_its_socket_stays_open(ssh_host: SshHost) -> None:
    transport = ssh.connect(ssh_host.address, keepalive=Keepalive(every_s=0.2, silence_s=1.0, look_s=0.1))
    assert transport.run(["sleep", "1.5"]).exit_code == 0  # silent, but it answers when asked
    with ssh_host.frozen(), pytest.raises(HostUnreachable):
        transport.run(SPEAK)
    transport.close()


def _assert_wait_ends(transport: Transport, end: Callable[[], None]) -> None:
    """A wait without a time limit ends by `end`, called from another thread once the wait has begun."""
    begun = threading.Event()

    def chunks() -> Iterator[bytes]:
        begun.set()
        yield b""

    def wait() -> CommandResult:
        return transport.send(SLEEP, chunks())

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        assert begun.wait(5)
        end()
        with pytest.raises(HostUnreachable):
            waiting.result(5)
