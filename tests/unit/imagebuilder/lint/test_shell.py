"""Commands are found as the shell would find them, and nothing that is only text."""

from __future__ import annotations

import pytest

from imagebuilder.lint import shell


def commands(script: str) -> list[str]:
    """Every command as `line: words`."""
    return [f"{one.line}: {' '.join(one.words)}" for one in shell.parse(script).commands if one.words]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("a b; c && d || e | f\n", ["0: a b", "0: c", "0: d", "0: e", "0: f"]),
        ("# it's a comment\na # don't\n", ["1: a"]),
        ("a 'b; c' \"d && e\" f\\;g\n", ["0: a b; c d && e f;g"]),
        ("a \\\n  b\nc", ["0: a b", "2: c"]),
        ("cat <<'E' > x\nreboot 'now\nE\nb", ["0: cat", "3: b"]),
        ("cat <<-E; b\n\treboot\n\tE\nc", ["0: cat", "0: b", "3: c"]),
        ("a <<< 'b c' 2>&1 >/dev/null", ["0: a"]),
        ("x=$(a | b) c", ["0: a", "0: b", "0: c"]),
        ('x="$(a "$(b)")"\n`c`', ["0: b", "0: a $(b)", "1: c", "1: `c`"]),
        ("diff <(a) <(b)", ["0: a", "0: b", "0: diff <(a) <(b)"]),
        ("if a; then b; elif c; then d; else e; fi", ["0: a", "0: b", "0: c", "0: d", "0: e"]),
        ("for x in $(a) b; do c; done", ["0: a", "0: c"]),
        ("while ! a; do b; done < c", ["0: a", "0: b"]),
        ("case $x in a | 'b c') d ;; *) e ;; esac\nf", ["0: d", "0: e", "1: f"]),
        ("case $x in\n  (a) d ;;\nesac", ["1: d"]),
        ("a() { b; }\nfunction c { d; }", ["0: b", "1: d"]),
        ("[[ $a && ( $b || $c ) ]] && d", ["0: d"]),
        ("x=(a b | c)\nd", ["1: d"]),
        ('a $((1 << 2)) ${b:-"c}d"} ${e#\'} f', ['0: a $((1 << 2)) ${b:-"c}d"} ${e#\'} f']),
        ("a {{ B | c }}/d", ["0: a {{ B | c }}/d"]),
        ("(a; b) | c", ["0: a", "0: b", "0: c"]),
        ("{ a; b; } 2> c", ["0: a", "0: b"]),
        ("a &&\n  b", ["0: a", "1: b"]),
    ],
)
def test_commands_are_found_with_their_lines(script: str, expected: list[str]) -> None:
    parsed = shell.parse(script)
    assert parsed.faults == ()
    assert commands(script) == expected


@pytest.mark.parametrize(
    ("script", "line", "what"),
    [
        ("a\nb 'c", 1, "a quote ' is never closed"),
        ('a "b\nc', 0, 'a quote " is never closed'),
        ("a $(b\n", 1, "a substitution $( is never closed"),
        ("a ${b", 0, "an expansion ${ is never closed"),
        ("a `b", 0, "a quote ` is never closed"),
    ],
)
def test_what_is_never_closed_is_told(script: str, line: int, what: str) -> None:
    assert (line, what) in shell.parse(script).faults


@pytest.mark.parametrize(
    ("script", "conditional"),
    [
        ("a; b", [False, False]),
        ("a && b", [False, True]),
        ("a || { b; c; }\nd", [False, True, True, False]),
        ("if a; then b; fi; c", [True, True, False]),
        ("a | b", [False, False]),
        ("case x in a) b ;; esac; c", [True, False]),
    ],
)
def test_it_is_known_which_commands_may_be_left_out(script: str, conditional: list[bool]) -> None:
    assert [one.is_conditional for one in shell.parse(script).commands] == conditional


def test_only_what_is_piped_shares_a_pipeline() -> None:
    a, b, c, d = shell.parse("a | b; c | d").commands
    assert a.pipeline == b.pipeline != c.pipeline == d.pipeline


def test_uses_of_variables_and_bare_references_are_found_where_the_shell_sees_them() -> None:
    script = "a $HOME '$USER' \"${LOGNAME}\" ${X:-y}\nb {{ C }} '{{ D }}' \"{{ E }}\"\n"
    uses = shell.parse(script).uses
    assert set().union(*(use.names for use in uses)) == {"HOME", "LOGNAME"}
    assert [(use.line, use.text) for use in uses if use.has_bare_reference] == [(1, "{{ C }}")]
