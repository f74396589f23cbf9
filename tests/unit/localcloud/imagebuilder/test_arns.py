"""Versions and ARNs as Image Builder forms them."""

from __future__ import annotations

import pytest

from localcloud.imagebuilder import arns
from localcloud.imagebuilder.refusals import Refusal

BUILD = "arn:aws:imagebuilder:eu-west-3:123456789012:component/my-part/1.0.2/1"


def test_an_arn_read_and_written_again_is_the_same() -> None:
    assert str(arns.read(BUILD)) == BUILD
    assert arns.read(BUILD).version == "1.0.2"
    assert arns.read(BUILD).build == 1


def test_a_name_appears_in_an_arn_in_small_letters_with_hyphens() -> None:
    assert arns.slug("My Component_2") == "my-component_2"


@pytest.mark.parametrize("reference", ["x.2.x", "1.x.8", "x.x.1"])
def test_a_number_after_an_x_is_refused(reference: str) -> None:
    with pytest.raises(Refusal, match="after the first x"):
        arns.check_reference(reference)


def test_a_wildcard_means_every_version_that_fits() -> None:
    assert arns.matches("1.x.x", "1.7.3")
    assert not arns.matches("1.6.x", "1.7.3")


def test_a_node_above_the_service_limit_is_refused() -> None:
    with pytest.raises(Refusal, match="semanticVersion"):
        arns.check_version(f"1.0.{2**30}")


def test_a_wildcard_at_creation_becomes_the_next_version() -> None:
    assert arns.next_version("1.0.x", ["1.0.4", "1.1.9"]) == "1.0.5"
    assert arns.next_version("1.x.x", ["1.0.4", "1.1.9"]) == "1.2.0"
    assert arns.next_version("2.0.x", ["1.0.4"]) == "2.0.0"
