"""The catalogue gives each event the components its image needs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.session import Session

from contracts.errors import AskedWrongly, KitInvalid
from contracts.event import EventConfig
from imagebuilder import catalogue, documents

MakeEvent = Callable[..., EventConfig]


def test_an_event_needs_base_kit_environment_and_challenge_in_this_order(make_event: MakeEvent) -> None:
    names = [component.name for component in catalogue.components(make_event())]
    roles = ["base", "kit", "environment", "challenge"]
    assert names == [f"rampart-flowers_2026-{role}" for role in roles]


@pytest.mark.parametrize("environment", ["venv", "conda", "existing"])
@pytest.mark.parametrize("kit", [None, {"git": "https://example.org/kit.git", "ref": "v1"}])
def test_every_component_is_one_that_image_builder_takes(
    make_event: MakeEvent, environment: str, kit: dict[str, str] | None
) -> None:
    event = make_event(environment=environment, **({"kit": kit} if kit else {}))
    model = Session().get_service_model("imagebuilder")
    name_pattern = model.shape_for("ResourceName").metadata["pattern"]
    for component in catalogue.components(event):
        assert re.fullmatch(name_pattern, component.name)
        assert re.fullmatch(r"1\.0\.\d+", component.version)
        assert int(component.version.split(".")[2]) <= 2**30 - 1
        assert 0 < len(component.data) <= documents.MOST_INLINE_CHARACTERS
        assert not component.is_long
        document = documents.parse(component.data, Path("data"))
        documents.fill(document, component.parameters)
        assert set(component.parameters) == {parameter.name for parameter in document.parameters}


def test_the_same_event_always_gives_the_same_components(make_event: MakeEvent) -> None:
    assert catalogue.components(make_event()) == catalogue.components(make_event())


def test_a_changed_kit_gives_the_kit_component_and_the_recipe_another_version(
    make_event: MakeEvent, kit_dir: Path
) -> None:
    before, recipe_before = catalogue.components(make_event()), catalogue.recipe_version(make_event())
    (kit_dir / "data" / "train.csv").write_text("a,b\n3,4\n")
    after, recipe_after = catalogue.components(make_event()), catalogue.recipe_version(make_event())
    assert [old.version == new.version for old, new in zip(before, after, strict=True)] == [True, False, True, True]
    assert recipe_before != recipe_after


def test_another_parameter_or_parent_image_gives_the_recipe_another_version(make_event: MakeEvent) -> None:
    versions = {
        catalogue.recipe_version(event)
        for event in (
            make_event(),
            make_event(parent_image="ami-0123456789abcdef0"),
            make_event(volume_gib=40),
            make_event(worker={"ami_user_name": "admin"}),
        )
    }
    assert len(versions) == 4


def test_an_environment_to_be_made_below_our_prefix_is_told_relative_to_it(make_event: MakeEvent) -> None:
    ours = catalogue.components(make_event())[-1].parameters
    elsewhere = catalogue.components(make_event(prefix="/opt/conda"))[-1].parameters
    there_already = catalogue.components(make_event(environment="existing"))[-1].parameters
    assert ours["Environment"] == "env"
    assert elsewhere["Environment"] == "/opt/conda"
    assert there_already["Environment"] == "/opt/rampart/env"


def test_the_home_is_that_of_the_login_user(make_event: MakeEvent) -> None:
    parameters = catalogue.components(make_event(worker={"ami_user_name": "admin"}))[-1].parameters
    assert (parameters["User"], parameters["Home"]) == ("admin", "/home/admin")


def test_a_kit_from_git_is_named_by_url_and_ref(make_event: MakeEvent) -> None:
    kit = catalogue.components(make_event(kit={"git": "https://example.org/kit.git", "ref": "v1"}))[1]
    assert (kit.parameters["KitUrl"], kit.parameters["KitRef"]) == ("https://example.org/kit.git", "v1")


@pytest.mark.parametrize("url", ["https://e.org/';id;'", "https://e.org/{{Home}}"])
def test_a_value_that_could_leave_its_quotes_is_refused(make_event: MakeEvent, url: str) -> None:
    with pytest.raises(AskedWrongly, match="KitUrl"):
        catalogue.components(make_event(kit={"git": url}))


def noise(size: int) -> bytes:
    """Bytes that no compression makes fewer."""
    return b"".join(hashlib.sha256(number.to_bytes(4)).digest() for number in range(size // 32))


def test_a_kit_too_large_to_be_given_inline_makes_a_long_component_and_no_other_one(
    make_event: MakeEvent, kit_dir: Path
) -> None:
    (kit_dir / "data" / "big.bin").write_bytes(noise(20_000))
    found = catalogue.components(make_event())
    assert [component.is_long for component in found] == [False, True, False, False]
    documents.fill(documents.parse(found[1].data, Path("data")), found[1].parameters)


def test_a_kit_too_large_for_any_document_is_refused_and_the_way_out_is_told(
    make_event: MakeEvent, kit_dir: Path
) -> None:
    (kit_dir / "data" / "big.bin").write_bytes(noise(50_000))
    with pytest.raises(KitInvalid, match=r"too large.*of 64000 characters.*git"):
        catalogue.components(make_event())
