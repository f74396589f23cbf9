"""Types and functions are those of Pulumi's AWS package, letter by letter."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from localcloud.deployer import table
from localcloud.deployer.lookups import LOOKUPS


@pytest.fixture(scope="module")
def package() -> Path:
    spec = importlib.util.find_spec("pulumi_aws")  # its text only: importing all of it takes seconds
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


@pytest.mark.parametrize("token", sorted({*table.HANDLERS, *LOOKUPS}))
def test_every_token_is_one_that_the_package_registers(token: str, package: Path) -> None:
    _, place, _ = token.split(":")
    module, name = place.split("/")
    file = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() + ".py"
    source = (package if module == "index" else package / module) / file

    assert f"'{token}'" in source.read_text(encoding="utf-8")
