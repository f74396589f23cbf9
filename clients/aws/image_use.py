"""Find what in an account needs a machine image: instances, launch templates, fleets."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from clients.aws.session import client_of, translated
from contracts.errors import CloudError

_LIVE = ("pending", "running", "stopping", "stopped")
_STANDING = frozenset({"submitted", "active", "modifying"})
_CURRENT_VERSIONS = ("$Default", "$Latest")
_FILTER_VALUES = 200


class ImageUse:
    """What the account of a session has in one region. Every verb may raise CloudError."""

    def __init__(self, session: Any) -> None:
        self._client = client_of(session, "ec2")

    def instances(self, image_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Give the instances that have not been terminated, by their image; other than Rampart's too."""
        ids = sorted(image_ids)
        found: dict[str, tuple[str, ...]] = {}
        for start in range(0, len(ids), _FILTER_VALUES):
            filters = [
                {"Name": "image-id", "Values": ids[start : start + _FILTER_VALUES]},
                {"Name": "instance-state-name", "Values": list(_LIVE)},
            ]
            for reservation in self._all("list instances", "describe_instances", "Reservations", Filters=filters):
                for one in reservation["Instances"]:
                    found[one["ImageId"]] = (*found.get(one["ImageId"], ()), one["InstanceId"])
        return found

    def templates(self) -> dict[str, tuple[str, ...]]:
        """Give by image the launch templates whose default or latest version launches it."""
        found: dict[str, tuple[str, ...]] = {}
        for version in self._versions(Versions=list(_CURRENT_VERSIONS)):
            _note(found, version["LaunchTemplateData"].get("ImageId"), version["LaunchTemplateId"])
        return found

    def fleets(self) -> dict[str, tuple[str, ...]]:
        """Give by image the standing fleets, of EC2 and of spot, that launch it anew where a machine ends."""
        found: dict[str, tuple[str, ...]] = {}
        for fleet in self._all("list fleets", "describe_fleets", "Fleets"):
            if fleet.get("FleetState") in _STANDING:
                for image_id in self._launched_by(fleet.get("LaunchTemplateConfigs", [])):
                    _note(found, image_id, fleet["FleetId"])
        doing, verb = "list spot fleet requests", "describe_spot_fleet_requests"
        for fleet in self._all(doing, verb, "SpotFleetRequestConfigs"):
            if fleet.get("SpotFleetRequestState") in _STANDING:
                wanted = fleet.get("SpotFleetRequestConfig", {})
                for image_id in self._launched_by(wanted.get("LaunchTemplateConfigs", [])):
                    _note(found, image_id, fleet["SpotFleetRequestId"])
                for specification in wanted.get("LaunchSpecifications", []):
                    _note(found, specification.get("ImageId"), fleet["SpotFleetRequestId"])
        return found

    def _launched_by(self, configs: Collection[Mapping[str, Any]]) -> Iterator[str | None]:
        for config in configs:
            template = config.get("LaunchTemplateSpecification", {})
            which = {"LaunchTemplateId": template.get("LaunchTemplateId")}
            if not which["LaunchTemplateId"]:
                which = {"LaunchTemplateName": template.get("LaunchTemplateName")}
            for version in self._versions(**which, Versions=[template.get("Version", "$Default")]):
                yield version["LaunchTemplateData"].get("ImageId")
            for override in config.get("Overrides", []):
                yield override.get("ImageId")

    def _versions(self, **query: Any) -> list[Mapping[str, Any]]:
        doing = "list launch template versions"
        try:
            return self._all(doing, "describe_launch_template_versions", "LaunchTemplateVersions", **query)
        except CloudError as error:
            if error.code.startswith("InvalidLaunchTemplate") and "NotFound" in error.code:
                return []  # a fleet may outlive what it was made with
            raise

    def _all(self, doing: str, verb: str, key: str, **query: Any) -> list[Mapping[str, Any]]:
        with translated(doing):
            pages = self._client.get_paginator(verb).paginate(**query)
            return [one for page in pages for one in page.get(key, [])]


def _note(found: dict[str, tuple[str, ...]], image_id: str | None, who: str) -> None:
    if image_id and who not in found.get(image_id, ()):
        found[image_id] = (*found.get(image_id, ()), who)
