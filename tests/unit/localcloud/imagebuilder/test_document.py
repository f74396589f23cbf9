"""Documents AWSTOE would refuse are refused, with the line at fault."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from localcloud.imagebuilder.document import DocumentRefused, OnFailure, parse

GOOD = """name: hello
description: says hello
schemaVersion: 1.0
parameters:
  - Home:
      type: string
      default: /home/ubuntu
      description: where
constants:
  - Word:
      type: string
      value: hello
phases:
  - name: build
    steps:
      - name: Say
        action: ExecuteBash
        timeoutSeconds: -1
        onFailure: Continue
        maxAttempts: 3
        inputs:
          commands:
            - echo {{ Word }} > {{ Home }}/word
  - name: test
    steps:
      - name: See
        action: CreateFile
        inputs:
          - path: /tmp/x
            permissions: 0640
"""


def test_a_good_document_is_read() -> None:
    document = parse(GOOD)
    assert [parameter.default for parameter in document.parameters] == ["/home/ubuntu"]
    assert document.constants == {"Word": "hello"}
    say = document.phases[0].steps[0]
    assert (say.timeout_s, say.on_failure, say.max_attempts) == (None, OnFailure.CONTINUE, 3)
    assert document.phases[1].steps[0].inputs == [{"path": "/tmp/x", "permissions": "0640"}]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("schemaVersion: 1.0", "schemaVersion: 2.0", "line 3: schemaVersion must be 1.0"),
        ("schemaVersion: 1.0\n", "", "line 1: the document lacks 'schemaVersion'"),
        ("description: says hello", "author: me", "line 2: the document cannot hold 'author'"),
        ("description: says hello", "name: again", "line 2: the key 'name' is there twice"),
        ("      value: hello", "      default: hello", "line 12: constant Word cannot hold 'default'"),
        ("  - Word:\n      type: string\n      value: hello", "  - Word: hello", "constant Word must be named values"),
        ("      default: /home/ubuntu", "      default: 3", "line 7: parameter Home: the default is a string"),
        ("  - Home:", "  - Ho:", "'Ho' cannot be a parameter's name"),
        ("      type: string\n      default", "      type: integer\n      default", "the type is string"),
        ("- name: test", "- name: deploy", "line 24: phase 'deploy' is none of build"),
        ("- name: test", "- name: build", "the phase 'build' is there twice"),
        ("action: ExecuteBash", "action: RunBash", "line 17: step Say: AWSTOE has no action 'RunBash'"),
        ("timeoutSeconds: -1", "timeoutSeconds: 0", "line 18: step Say: timeoutSeconds"),
        ("timeoutSeconds: -1", "timeoutSeconds: soon", "line 18: step Say: timeoutSeconds"),
        ("onFailure: Continue", "onFailure: Retry", "line 19: step Say: onFailure is one of Abort, Continue, Ignore"),
        ("maxAttempts: 3", "maxAttempts: 0", "line 20: step Say: maxAttempts"),
        ("          commands:", "          command:", "the inputs of ExecuteBash lack commands"),
        ("            - echo", "            - a: echo", "the inputs of ExecuteBash cannot have [{'a'"),
        ("          - path: /tmp/x", "            path: /tmp/x", "the inputs of CreateFile are a list"),
        ("permissions: 0640", "permissions: [0640]", "cannot have ['0640'] as permissions"),
        ("action: ExecuteBash", "action: [ExecuteBash]", "line 17: step Say: AWSTOE has no action"),
        ("permissions: 0640", "mode: 0640", "the inputs of CreateFile cannot hold mode"),
        (
            "        maxAttempts: 3\n",
            "        if: {stringEquals: a}\n",
            "line 20: step Say: stringEquals needs a value",
        ),
        ("        maxAttempts: 3\n", "        loop: {for: {start: 1}}\n", "line 20: step Say: for needs"),
        ("      - name: Say", "      - nome: Say", "a step cannot hold 'nome'"),
    ],
)
def test_what_awstoe_would_refuse_is_refused_with_its_line(old: str, new: str, fault: str) -> None:
    assert GOOD.count(old) == 1 or old == "- name: test"
    with pytest.raises(DocumentRefused, match="line ") as caught:
        parse(GOOD.replace(old, new))
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "[1, 2", "a: *b", "&a [*a]", "- a", "---\na: 1\n---\nb: 2", "x: !!python/name:os.system"]
)
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(DocumentRefused, match="line "):
        parse(text)


@given(st.text(max_size=200))
def test_no_text_makes_the_parser_fall_over(text: str) -> None:
    with pytest.raises(DocumentRefused, match="line "):
        parse(text)


ODD: tuple[Any, ...] = (None, True, -1, "", [], {}, ["a"], [{}], {"a": [1]})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to everything inside a value."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield (*path, key)
        yield from places(value[key], (*path, key))


def test_no_odd_value_anywhere_makes_the_parser_fall_over() -> None:
    good = yaml.safe_load(GOOD)
    good["phases"][0]["steps"][0] |= {"if": {"not": {"stringEquals": "a", "value": "b"}}, "loop": {"forEach": ["a"]}}
    parse(json.dumps(good))
    for *folders, last in places(good):
        for odd in ODD:
            changed = copy.deepcopy(good)
            inner = changed
            for key in folders:
                inner = inner[key]
            inner[last] = odd
            with suppress(DocumentRefused):
                parse(json.dumps(changed))
