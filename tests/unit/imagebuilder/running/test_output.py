"""What scripts print is logged within bounds, and can steer no terminal."""

from __future__ import annotations

from imagebuilder.running.output import MOST_LINES, Output, Stream


def logged(*chunks: bytes, stream: Stream = Stream.STDOUT) -> list[str]:
    log: list[str] = []
    output = Output(log.append)
    for chunk in chunks:
        output.take(stream, chunk)
    output.end()
    return log


def test_a_line_is_logged_when_it_is_whole() -> None:
    log: list[str] = []
    output = Output(log.append)
    output.take(Stream.STDERR, b"first\nsec")
    assert log == ["Stderr: first"]
    output.take(Stream.STDERR, b"ond")
    output.end()
    assert log == ["Stderr: first", "Stderr: second"]


def test_a_letter_cut_in_two_is_put_together() -> None:
    assert logged("ü".encode()[:1], "ü".encode()[1:] + b"\n") == ["Stdout: ü"]


def test_what_steers_a_terminal_is_left_out() -> None:
    assert logged(b"\x1b[31mred\x1b[0m\a\x08 \x00line\n") == ["Stdout: red line"]


def test_each_state_of_a_progress_bar_is_a_line_and_empty_ones_are_none() -> None:
    assert logged(b" 10%\r 20%\r\n\n\n") == ["Stdout:  10%", "Stdout:  20%"]


def test_a_long_line_is_cut_into_pieces_however_it_comes() -> None:
    pieces = [len(line) - len("Stdout: ") for line in logged(*[b"x" * 1000] * 10)]
    assert pieces == [4000, 4000, 2000]
    assert [len(line) - len("Stdout: ") for line in logged(b"x" * 10_000 + b"\n")] == pieces


def test_beyond_its_most_lines_a_script_is_no_longer_logged_but_goes_on() -> None:
    log = logged(*[b"line\n" * 1000] * (MOST_LINES // 1000 + 3))
    assert len(log) == MOST_LINES + 1
    assert log[-1].startswith("Stdout: [what this command prints beyond")


def test_a_megabyte_of_the_standard_output_is_kept() -> None:
    output = Output(None)
    output.take(Stream.STDERR, b"no")
    for _ in range(30):
        output.take(Stream.STDOUT, b"x" * 50_000)
    assert output.stdout == b"x" * 1_000_000


def test_a_quiet_script_s_errors_are_logged_alone() -> None:
    log: list[str] = []
    output = Output(log.append, keeps_quiet=True)
    output.take(Stream.STDOUT, b"secret\n")
    output.take(Stream.STDERR, b"wrong\n")
    output.end()
    assert log == ["Stderr: wrong"]
    assert output.stdout == b"secret\n"
