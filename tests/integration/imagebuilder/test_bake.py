"""A bake over SSH on real machines that goes wrong is told in one line, and nothing is left of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from clients.aws.image_making import ImageMaking
from clients.aws.session import session_for
from contracts.errors import ImageBuildFailed
from contracts.image import ImageReference
from imagebuilder import bake as baker
from imagebuilder.bake import cleaning
from imagebuilder.bake.documents import OverSsh
from imagebuilder.bake.ports import RunDocuments
from imagebuilder.catalogue import Component
from localcloud.machines import Level
from tasks import baking, rented
from tests.integration.imagebuilder.stacks import Stack


@pytest.fixture
def bake_component(stack: Stack) -> Callable[..., ImageReference]:
    """Bake an image of one component, whose build phase is a script."""
    if stack.cloud.local.level == Level.PLAIN:
        pytest.skip("machines at the level plain have no disk of their own")

    def bake(script: str, **changes: Any) -> ImageReference:
        step = {"name": "Do", "action": "ExecuteBash", "inputs": {"commands": [script]}}
        data = f'{{"schemaVersion": 1.0, "phases": [{{"name": "build", "steps": [{step!r}]}}]}}'
        component = Component("own", "1.0.1", data, {}, "")
        order = replace(baking.order_of(stack.event, stack.outputs), components=(component,), **changes)
        machines = rented.for_builds(stack.event)
        run_documents: RunDocuments = OverSsh(machines)
        images = ImageMaking(session_for(stack.event))
        return baker.bake(order, machines, images, run_documents, is_up=lambda _: False)

    return bake


@pytest.mark.parametrize(
    ("script", "changes", "message"),
    [
        ("echo never mind; exit 3", {}, "in own, phase build, step Do: exit code 3"),
        ("sleep 300", {"build_timeout_s": 1.0}, "the image build took longer than 1 s"),
        ("sudo shutdown -h now; sleep 300", {}, r"the instance i-\w+ was lost"),
    ],
    ids=["fails", "hangs", "is-lost"],
)
def test_a_build_that_fails_is_told_in_one_line_and_leaves_nothing(
    stack: Stack, bake_component: Callable[..., ImageReference], script: str, changes: dict[str, Any], message: str
) -> None:
    before = stack.images()
    with pytest.raises(ImageBuildFailed, match=message) as caught:
        bake_component(script, **changes)
    assert "\n" not in caught.value.message
    assert (stack.instances(), stack.images()) == ([], before)


def test_no_image_is_made_where_cleaning_was_left_out(
    stack: Stack, bake_component: Callable[..., ImageReference], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stack.images()
    monkeypatch.setattr(cleaning, "clean", lambda _: None)
    with pytest.raises(ImageBuildFailed, match="the machine still has /etc/ssh/ssh_host_ed25519_key"):
        bake_component("touch /tmp/left")
    assert (stack.instances(), stack.images()) == ([], before)
