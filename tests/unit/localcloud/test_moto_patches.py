"""Replaced functions are put back as they were."""

from __future__ import annotations

from typing import Any

from localcloud.moto_patches import Original, Patches


class Parent:
    def name(self) -> str:
        return "parent"


class Child(Parent):
    size = 1


def louder(original: Original, *args: Any) -> str:
    return str(original(*args)).upper()


def test_a_replacement_sees_the_original_and_is_taken_back() -> None:
    patches = Patches()
    patches.wrap(Parent, "name", louder)
    patches.put(Child, "size", 2)
    assert (Child().name(), Child.size) == ("PARENT", 2)
    patches.undo()
    assert (Child().name(), Child.size) == ("parent", 1)


def test_an_inherited_function_is_inherited_again() -> None:
    patches = Patches()
    patches.wrap(Child, "name", louder)
    assert (Child().name(), Parent().name()) == ("PARENT", "parent")
    patches.undo()
    assert "name" not in vars(Child)
