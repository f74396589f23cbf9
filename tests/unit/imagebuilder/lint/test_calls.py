"""The program that runs is found behind whatever stands around it."""

from __future__ import annotations

import pytest

from imagebuilder.lint import calls
from imagebuilder.lint.calls import Call


def called(script: str, constants: dict[str, str] | None = None) -> tuple[Call, ...]:
    return calls.script(script, tuple(range(10, 11 + script.count("\n"))), constants or {}).calls


@pytest.mark.parametrize(
    ("script", "program", "args", "user"),
    [
        ("/usr/bin/apt-get update", "apt-get", ("update",), None),
        ("sudo -n -H -u bob ls -l", "ls", ("-l",), "bob"),
        ("sudo -nHu bob -- ls", "ls", (), "bob"),
        ("sudo --user=bob ls", "ls", (), "bob"),
        ("sudo -u root ls", "ls", (), None),
        ("sudo -E X=1 env -u Y Z=2 ls", "ls", (), None),
        ("timeout -k 5 60 nice -n 10 ls", "ls", (), None),
        ("runuser -u bob -- ls", "ls", (), "bob"),
        ('"$e/bin/python3.12" -I -m pip install x', "pip", ("install", "x"), None),
        ("python script.py -m pip", "python", ("script.py", "-m", "pip"), None),
        ("uv --quiet pip install x", "pip", ("install", "x"), None),
        ("pip3 install x", "pip", ("install", "x"), None),
    ],
)
def test_a_program_is_found_behind_its_wrappers(
    script: str, program: str, args: tuple[str, ...], user: str | None
) -> None:
    (call,) = called(script)
    assert (call.program, call.args, call.user) == (program, args, user)


@pytest.mark.parametrize(
    "script",
    [
        "sudo -u bob bash -c 'a\nb; c'",
        "su - bob -c 'a\nb; c'",
        "sudo -u bob bash -s <<'E'\na\nb; c\nE\n",
        "sudo -u bob sh -euxc 'a\nb; c'",
    ],
)
def test_scripts_within_a_script_are_looked_into(script: str) -> None:
    _, *inner = called(script)
    shift = inner[0].line - 10
    assert [(call.program, call.line, call.user) for call in inner] == [
        ("a", 10 + shift, "bob"),
        ("b", 11 + shift, "bob"),
        ("c", 11 + shift, "bob"),
    ]
    assert not any(call.is_top for call in inner)


def test_known_variables_and_constants_are_filled_in() -> None:
    script = "conda='{{ Where }}/bin/conda'\nurl=http://localhost\n\"$conda\" x \"${url}/y\" $z '{{ Other }}'"
    (call,) = called(script, {"Where": "/opt"})
    assert (call.line, call.program, call.args) == (12, "conda", ("x", "http://localhost/y", "$z", "{{ Other }}"))


def test_variables_that_name_themselves_come_to_an_end() -> None:
    (call,) = called("a=b$a\nc='{{ C }}{{ C }}'\necho \"$a $c\"", {"C": "{{ C }}{{ C }}"})
    assert call.program == "echo"


def test_an_option_is_found_alone_joined_and_with_its_value() -> None:
    (call,) = called("curl -fsS --max-time=5 -o x https://x.example")
    assert call.has_option("-f")
    assert call.has_option("--max-time")
    assert not call.has_option("-k", "--fail")
