"""The catalogue gives each event the components its image needs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.session import Session

from contracts.errors import AskedWrongly, BadDocument
from contracts.event import EventConfig
from imagebuilder import catalogue, documents
from imagebuilder.catalogue import Component

MakeEvent = Callable[..., EventConfig]


def roles(event: EventConfig) -> dict[str, Component]:
    """The event's components by what is theirs of the name, in order."""
    prefix = f"rampart-{event.name}-"
    return {component.name.removeprefix(prefix): component for component in catalogue.components(event)}


def test_an_event_gets_the_components_it_needs_in_their_order(make_event: MakeEvent) -> None:
    assert list(roles(make_event())) == [
        *("base", "python", "kit", "environment", "challenge", "ramp-test", "hardening")
    ]
    assert "python" not in roles(make_event(environment="existing"))


def test_an_event_that_wants_everything_gets_private_data_before_their_digest_is_taken(
    make_event: MakeEvent, tmp_path: Path
) -> None:
    (tmp_path / "install cmake.yml").write_text(OWN.replace("type: string", "type: string\n      default: '1'"))
    event = make_event(
        gpu=True,
        dask=True,
        private_data={"s3": "s3://bucket/iris/", "osf_secret": "osf"},
        components=[str(tmp_path / "install cmake.yml")] * 2,
    )
    assert list(roles(event)) == [
        *("base", "python", "gpu", "kit", "environment", "private-data-s3", "private-data-osf", "challenge", "dask"),
        *("own-install-cmake", "own-install-cmake-2", "ramp-test", "hardening"),
    ]


OWN = """schemaVersion: 1.0
description: Install CMake  # a comment of its author's
parameters:
  - CmakeVersion:
      type: string
phases:
  - name: build
    steps:
      - name: Install
        action: ExecuteBash
        inputs:
          commands:
            - "apt-get install -y cmake='{{ CmakeVersion }}'"
"""


def test_a_document_of_ones_own_goes_along_as_it_was_written(make_event: MakeEvent, tmp_path: Path) -> None:
    path = tmp_path / "cmake.yml"
    path.write_text(OWN.replace('"apt', '"#').replace("type: string", "type: string\n      default: '1'"))
    component = roles(make_event(components=[{"document": path, "parameters": {"CmakeVersion": "3.31"}}]))["own-cmake"]
    assert (component.data, component.parameters) == (path.read_text(), {"CmakeVersion": "3.31"})
    assert component.description == "Install CMake"


def test_everything_wrong_with_documents_of_ones_own_is_told_at_once(make_event: MakeEvent, tmp_path: Path) -> None:
    path = tmp_path / "cmake.yml"
    path.write_text(OWN)
    with pytest.raises(BadDocument) as caught:
        catalogue.components(
            make_event(components=[{"document": path, "parameters": {"Cmake": "3"}}, str(tmp_path / "gone.yml")])
        )
    said = str(caught.value).splitlines()[1:]
    assert [line.removeprefix(f"  {tmp_path}/") for line in said] == [
        "cmake.yml: Cmake: the document has no such parameter — declared: CmakeVersion",
        "cmake.yml: CmakeVersion: has neither a value nor a default — "
        "give it in infra.image.components, below parameters",
        "gone.yml: cannot be read: No such file or directory — check the path",
    ]


def test_as_many_documents_as_an_event_file_may_name_fit_into_a_recipe(make_event: MakeEvent, tmp_path: Path) -> None:
    (tmp_path / "cmake.yml").write_text(OWN)
    own = {"document": tmp_path / "cmake.yml", "parameters": {"CmakeVersion": "3.31"}}
    data = {"s3": "s3://bucket/iris/", "osf_secret": "osf"}
    event = make_event(gpu=True, dask=True, private_data=data, components=[own] * 8)
    assert len(catalogue.components(event)) <= catalogue.MOST_COMPONENTS


@pytest.mark.parametrize(
    ("instance_type", "gpu", "expected"),
    [
        *(("g4dn.xlarge", None, True), ("p5.48xlarge", None, True), ("t3.medium", None, False)),
        *(("g4ad.xlarge", None, False), ("t3.medium", True, True), ("g5.xlarge", False, False)),
    ],
)
def test_the_driver_goes_along_where_the_instance_type_or_the_event_file_asks_for_it(
    make_event: MakeEvent, instance_type: str, gpu: bool | None, expected: bool
) -> None:
    event = make_event(worker={"instance_type": instance_type}, gpu=gpu)
    assert ("gpu" in roles(event)) is expected


def test_dask_goes_along_where_the_event_runs_on_it_and_the_environment_is_ours(make_event: MakeEvent) -> None:
    on_dask = {"worker_type": "dask"}
    assert "dask" in roles(make_event(worker=on_dask))
    assert "dask" not in roles(make_event(worker=on_dask, dask=False))
    assert "dask" not in roles(make_event(worker=on_dask, environment="existing"))
    assert roles(make_event(dask=True, environment="existing"))["dask"].parameters["MayInstall"] == "no"


@pytest.mark.parametrize("environment", ["venv", "conda", "existing"])
@pytest.mark.parametrize(
    "kit",
    [
        None,
        {"git": "https://example.org/kit.git", "ref": "v1"},
        {"s3": "s3://bucket/kit.tar.gz", "sha256": "0" * 64},
    ],
)
def test_every_component_is_one_that_image_builder_takes(
    make_event: MakeEvent, environment: str, kit: dict[str, str] | None
) -> None:
    everything = {"gpu": True, "dask": True, "private_data": {"s3": "s3://bucket/iris/", "osf_secret": "osf"}}
    event = make_event(environment=environment, **everything, **({"kit": kit} if kit else {}))
    model = Session().get_service_model("imagebuilder")
    name_pattern = model.shape_for("ResourceName").metadata["pattern"]
    for component in catalogue.components(event):
        assert re.fullmatch(name_pattern, component.name)
        assert re.fullmatch(r"1\.0\.\d+", component.version)
        assert int(component.version.split(".")[2]) <= 2**30 - 1
        assert 0 < len(component.data) <= documents.MOST_INLINE_CHARACTERS
        assert not component.is_long
        document = documents.parse(component.data, Path("data"))
        documents.fill(document, component.parameters)  # refuses one that is missing, and one that nobody declared


def test_the_same_event_always_gives_the_same_components(make_event: MakeEvent) -> None:
    assert catalogue.components(make_event()) == catalogue.components(make_event())


def test_a_changed_kit_gives_the_kit_component_and_the_recipe_another_version(
    make_event: MakeEvent, kit_dir: Path
) -> None:
    before, recipe_before = catalogue.components(make_event()), catalogue.recipe_version(make_event())
    (kit_dir / "data" / "train.csv").write_text("a,b\n3,4\n")
    after, recipe_after = catalogue.components(make_event()), catalogue.recipe_version(make_event())
    changed = [new.name for old, new in zip(before, after, strict=True) if old.version != new.version]
    assert changed == ["rampart-flowers_2026-kit"]
    assert recipe_before != recipe_after


def test_another_parameter_or_parent_image_gives_the_recipe_another_version(make_event: MakeEvent) -> None:
    versions = {
        catalogue.recipe_version(event)
        for event in (
            make_event(),
            make_event(parent_image="ami-0123456789abcdef0"),
            make_event(volume_gib=40),
            make_event(worker={"ami_user_name": "admin"}),
            make_event(kms_key="arn:aws:kms:eu-west-3:111122223333:key/1234"),
            make_event(packages=["graphviz"]),
            make_event(updates=False),
        )
    }
    assert len(versions) == 7


def test_the_challenge_is_told_the_recipe_and_what_it_is_made_of(make_event: MakeEvent) -> None:
    event = make_event()
    found = roles(event)
    told = found["challenge"].parameters
    assert told["Recipe"] == catalogue.recipe_version(event)
    assert told["Components"].split() == [f"{each.name}={each.version}" for each in found.values()]


def test_an_environment_to_be_made_below_our_prefix_is_told_relative_to_it(make_event: MakeEvent) -> None:
    ours = roles(make_event())["challenge"].parameters
    elsewhere = roles(make_event(prefix="/opt/conda"))["challenge"].parameters
    there_already = roles(make_event(environment="existing"))["challenge"].parameters
    assert ours["Environment"] == "env"
    assert elsewhere["Environment"] == "/opt/conda"
    assert there_already["Environment"] == "/opt/rampart/env"


def test_the_home_is_that_of_the_login_user(make_event: MakeEvent) -> None:
    parameters = roles(make_event(worker={"ami_user_name": "admin"}))["challenge"].parameters
    assert (parameters["User"], parameters["Home"]) == ("admin", "/home/admin")


@pytest.mark.parametrize(("user", "expected"), [("ubuntu", "no"), ("root", "prohibit-password")])
def test_root_may_log_in_only_where_it_is_the_login_user(make_event: MakeEvent, user: str, expected: str) -> None:
    assert roles(make_event(worker={"ami_user_name": user}))["hardening"].parameters["RootLogin"] == expected


def test_the_submissions_user_cannot_be_the_login_user(make_event: MakeEvent) -> None:
    with pytest.raises(AskedWrongly, match="ami_user_name"):
        catalogue.components(make_event(worker={"ami_user_name": "submission"}))


def test_a_kit_from_git_is_named_by_url_and_ref(make_event: MakeEvent) -> None:
    kit = roles(make_event(kit={"git": "https://example.org/kit.git", "ref": "v1"}))["kit"]
    assert (kit.parameters["KitUrl"], kit.parameters["KitRef"]) == ("https://example.org/kit.git", "v1")


def test_a_kit_from_a_bucket_is_named_by_address_and_checksum(make_event: MakeEvent) -> None:
    event = make_event(kit={"s3": "s3://challenges/kit.tar.gz", "sha256": "0" * 64})
    parameters = roles(event)["kit"].parameters
    assert (parameters["KitUri"], parameters["KitChecksum"]) == ("s3://challenges/kit.tar.gz", "0" * 64)


def test_a_secret_is_told_by_a_place_for_its_arn(make_event: MakeEvent) -> None:
    parameters = roles(make_event(private_data={"osf_secret": "osf"}))["private-data-osf"].parameters
    assert parameters["LoginArn"] == "{secret:osf}"


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
    event = make_event()
    found = roles(event)
    assert [role for role, component in found.items() if component.is_long] == ["kit"]
    documents.fill(documents.parse(found["kit"].data, Path("data")), found["kit"].parameters)
    assert catalogue.uploads(event) == ()


def test_a_kit_too_large_for_any_document_is_uploaded_and_named_by_its_checksum(
    make_event: MakeEvent, kit_dir: Path
) -> None:
    (kit_dir / "data" / "big.bin").write_bytes(noise(50_000))
    event = make_event()
    (upload,) = catalogue.uploads(event)
    assert hashlib.sha256(upload.content).hexdigest() == upload.sha256
    component = roles(event)["kit"]
    assert not component.is_long
    assert component.parameters["KitUri"] == f"s3://{{bucket}}/{upload.key}"
    assert component.parameters["KitChecksum"] == upload.sha256


def test_a_small_kit_is_not_uploaded(make_event: MakeEvent) -> None:
    assert catalogue.uploads(make_event()) == ()
