"""References are filled while a document runs."""

from __future__ import annotations

import pytest

from imagebuilder.documents.yaml_nodes import Value
from imagebuilder.running.variables import Turn, Variables


@pytest.fixture
def variables() -> Variables:
    made = Variables()
    made.remember("build", "Get it", [{"source": "s3://a", "overwrite": True}], {"stdout": "{{ build.x }}", "n": ""})
    made.remember("build", "One", {"commands": ["a", "b"]}, {"stdout": "out"})
    return made


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("<{{ build.One.outputs.stdout }}>", "<out>"),
        ("{{build.One.outputs[0].stdout}}", "out"),
        ("{{ build.Get it.inputs[0].source }}", "s3://a"),
        ("{{ build.Get it.inputs[0].overwrite }}", "true"),
        ("{{ build.One.inputs.commands[1] }}", "b"),
        ("{{ build.Get it.outputs.n }}", ""),
        ("{{ build.Get it.outputs.stdout }}", "{{ build.x }}"),
    ],
)
def test_a_chain_leads_to_its_value(variables: Variables, text: str, filled: str) -> None:
    assert variables.filled(text) == filled


@pytest.mark.parametrize(
    "text",
    [
        "{{ build.Two.outputs.stdout }}",
        "{{ validate.One.outputs.stdout }}",
        "{{ build.One.outputs.nothing }}",
        "{{ build.Get it.inputs[1].source }}",
        "{{ build.One.inputs.commands }}",
        "{{ loop.value }}",
        "{{ Word }}",
        "${WORD} {x}",
    ],
)
def test_what_means_nothing_stays_as_it_is_written(variables: Variables, text: str) -> None:
    assert variables.filled(text) == text


def test_a_turn_of_a_loop_is_known_by_both_its_names(variables: Variables) -> None:
    text = "{{ loop.index }} {{ fruit.index }} {{ loop.value }} {{ fruit.value }} {{ other.value }}"
    assert variables.filled(text, Turn(2, "pear", "fruit")) == "2 2 pear pear {{ other.value }}"


def test_strings_are_filled_wherever_they_stand_and_other_values_kept(variables: Variables) -> None:
    value: Value = {"list": ["{{ build.One.outputs.stdout }}", 3, None, True]}
    assert variables.filled(value) == {"list": ["out", 3, None, True]}
