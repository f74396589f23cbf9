"""Sweep the recipe and component versions that stacks retain, once a stack is destroyed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clients.aws.session import client_of, translated
from contracts.errors import CloudError

_IN_USE = "ResourceDependencyException"


@dataclass(frozen=True, slots=True)
class Swept:
    """ARNs that are gone, and those that something still uses."""

    deleted: tuple[str, ...]
    in_use: tuple[str, ...]


class Retained:
    """The immutable Image Builder resources of one region, found by their tags."""

    def __init__(self, session: Any) -> None:
        self._builder = client_of(session, "imagebuilder")

    def sweep(self, tags: Mapping[str, str]) -> Swept:
        """Delete every recipe, then every component version, that carries `tags`. Raises CloudError."""
        gone: dict[bool, list[str]] = {True: [], False: []}
        for arn in [*self._recipes(tags)]:
            gone[self._deleted(self._builder.delete_image_recipe, imageRecipeArn=arn)].append(arn)
        for arn in [*self._components(tags)]:
            gone[self._deleted(self._builder.delete_component, componentBuildVersionArn=arn)].append(arn)
        return Swept(deleted=tuple(gone[True]), in_use=tuple(gone[False]))

    def _recipes(self, tags: Mapping[str, str]) -> Iterator[str]:
        for recipe in self._listed("list_image_recipes", "imageRecipeSummaryList", owner="Self"):
            if tags.items() <= recipe.get("tags", {}).items():
                yield recipe["arn"]

    def _components(self, tags: Mapping[str, str]) -> Iterator[str]:
        for version in self._listed("list_components", "componentVersionList", owner="Self"):
            builds = self._listed(
                "list_component_build_versions", "componentSummaryList", componentVersionArn=version["arn"]
            )
            for build in builds:
                if tags.items() <= build.get("tags", {}).items():
                    yield build["arn"]

    def _deleted(self, delete: Any, **which: str) -> bool:
        try:
            with translated("delete a retained version"):
                delete(**which)
        except CloudError as error:
            if error.code != _IN_USE:
                raise
            return False
        return True

    def _listed(self, verb: str, key: str, **query: Any) -> Iterator[Mapping[str, Any]]:
        with translated(f"{verb.replace('_', ' ')}"):
            for page in self._builder.get_paginator(verb).paginate(**query):
                yield from page[key]
