"""References in documents are filled as AWSTOE fills them."""

from __future__ import annotations

from localcloud.imagebuilder.variables import Iteration, Scope


def test_a_parameter_is_filled_wherever_it_stands() -> None:
    scope = Scope({"Home": "/home/ubuntu"})
    filled = scope.fill({"commands": ["cd {{ Home }}; ls {{Home}}"], "count": 3})
    assert filled == {"commands": ["cd /home/ubuntu; ls /home/ubuntu"], "count": 3}


def test_a_reference_that_means_nothing_stays_as_it_is() -> None:
    assert Scope({}).fill("{{ nobody }} {{ build.none.outputs.stdout }} {{ loop.value }}") == (
        "{{ nobody }} {{ build.none.outputs.stdout }} {{ loop.value }}"
    )


def test_what_a_step_took_in_and_gave_out_can_be_used_later() -> None:
    scope = Scope({})
    scope.remember("build", "Get it", [{"source": "a"}, {"source": "b"}], {"stdout": "out"})
    assert scope.fill("{{ build.Get it.outputs.stdout }} {{ build.Get it.inputs[1].source }}") == "out b"
    assert scope.fill("{{ build.Get it.inputs[2].source }}") == "{{ build.Get it.inputs[2].source }}"


def test_a_loop_gives_index_and_value_by_its_own_name_too() -> None:
    scope = Scope({})
    turn = Iteration(2, "c", "letters")
    assert scope.fill("{{ loop.index }}{{ loop.value }}{{ letters.value }}{{ other.value }}", turn) == (
        "2cc{{ other.value }}"
    )


def test_what_is_filled_in_is_not_filled_again() -> None:
    assert Scope({"Once": "{{ Home }}", "Home": "/x"}).fill("{{ Once }}") == "{{ Home }}"
