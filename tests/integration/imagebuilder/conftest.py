"""Give tests of images a deployed event: one for all tests of a file, as it takes seconds to come and to go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.clouds import Cloud
from tests.integration.imagebuilder import stacks
from tests.integration.imagebuilder.stacks import Stack


@pytest.fixture(scope="module")
def stack(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A deployed event. A test may deploy it anew, but leaves its kit as it is for the others."""
    with stacks.of_event(cloud, tmp_path_factory.mktemp("stack")) as made:
        made.up()
        yield made


@pytest.fixture
def own_stack(cloud: Cloud, tmp_path: Path) -> Iterator[Stack]:
    """An event of one test's own, whose kit may be changed before it is deployed."""
    with stacks.of_event(cloud, tmp_path) as made:
        yield made
