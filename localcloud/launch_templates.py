"""Keep the versions of launch templates as EC2 does: made from another one, deleted, numbers never used again."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidLaunchTemplateVersionNotFound
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateBackend, LaunchTemplateVersion
from moto.ec2.responses.launch_templates import LaunchTemplates
from moto.ec2.utils import parse_user_data

from localcloud.moto_patches import Original, Patches

_ALL = 1_000_000


class TemplateVersions:
    """Remembers which versions were deleted: moto finds a version by its place in a list, so none may leave it."""

    def __init__(self) -> None:
        self._deleted: set[tuple[str, int]] = set()

    def install(self, patches: Patches) -> None:
        patches.wrap(LaunchTemplate, "get_version", self._get_version)
        patches.wrap(LaunchTemplate, "latest_version", self._latest_version)
        patches.wrap(LaunchTemplateBackend, "describe_launch_template_versions", self._describe)
        patches.wrap(LaunchTemplates, "create_launch_template_version", _create_from_source)
        patches.put(LaunchTemplates, "delete_launch_template_versions", self._delete_call())

    def _get_version(self, original: Original, template: LaunchTemplate, number: Any) -> LaunchTemplateVersion:
        wanted = str(number).lower()
        if wanted in ("$latest", "$default"):
            return template.latest_version() if wanted == "$latest" else template.default_version()
        if not wanted.isdecimal() or int(wanted) == 0 or (template.id, int(wanted)) in self._deleted:
            raise InvalidLaunchTemplateVersionNotFound(template_id=template.id, version=number)
        version: LaunchTemplateVersion = original(template, number)
        return version

    def _latest_version(self, _original: Original, template: LaunchTemplate) -> LaunchTemplateVersion:
        return self._living(template)[-1]  # the default one cannot be deleted, so there is one

    def _living(self, template: LaunchTemplate) -> list[LaunchTemplateVersion]:
        return [version for version in template.versions if (template.id, version.number) not in self._deleted]

    def _describe(
        self, original: Original, backend: LaunchTemplateBackend, **asked: Any
    ) -> list[tuple[LaunchTemplate, LaunchTemplateVersion]]:
        found = original(backend, **{**asked, "max_results": _ALL})
        return [(template, version) for template, version in found if version in self._living(template)]

    def _delete_call(self) -> Any:
        """moto looks for functions among a response's members, and finds no bound method."""

        def delete_launch_template_versions(response: LaunchTemplates) -> ActionResult:
            response.error_on_dryrun()
            template = _template_of(response)
            done: list[dict[str, Any]] = []
            refused: list[dict[str, Any]] = []
            for number in response._get_param("Versions", []):
                answer = {
                    "LaunchTemplateId": template.id,
                    "LaunchTemplateName": template.name,
                    "VersionNumber": int(number),
                }
                if wrong := self._delete(template, int(number)):
                    refused.append({**answer, "ResponseError": wrong})
                else:
                    done.append(answer)
            return ActionResult(
                {
                    "SuccessfullyDeletedLaunchTemplateVersions": done,
                    "UnsuccessfullyDeletedLaunchTemplateVersions": refused,
                }
            )

        return delete_launch_template_versions

    def _delete(self, template: LaunchTemplate, number: int) -> dict[str, str] | None:
        if number == template.default_version_number:
            return {"Code": "unexpectedError", "Message": "The default version cannot be deleted"}
        for version in self._living(template):
            if version.number == number:
                version.data = {}  # user data may hold a host key
                self._deleted.add((template.id, number))
                return None
        return {"Code": "launchTemplateVersionDoesNotExist", "Message": f"There is no version {number}"}


def _create_from_source(original: Original, response: LaunchTemplates) -> ActionResult:
    """moto ignores the source version, and takes user data as it comes."""
    data = dict(response._get_param("LaunchTemplateData", {}))
    if "UserData" in data:
        data["UserData"] = parse_user_data(data["UserData"])
    if source := response._get_param("SourceVersion"):
        data = {**_template_of(response).get_version(source).data, **data}
    response.params["LaunchTemplateData"] = data
    result: ActionResult = original(response)
    return result


def _template_of(response: LaunchTemplates) -> LaunchTemplate:
    name = response._get_param("LaunchTemplateName")
    backend = response.ec2_backend
    template: LaunchTemplate = (
        backend.get_launch_template_by_name(name)
        if name
        else backend.get_launch_template(response._get_param("LaunchTemplateId"))
    )
    return template
