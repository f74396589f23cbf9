"""Keep what builds are configured by: recipes, infrastructure, distribution, pipelines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from localcloud.imagebuilder import arns, distribution
from localcloud.imagebuilder.components import in_use
from localcloud.imagebuilder.refusals import Refusal, invalid
from localcloud.imagebuilder.registry import Record, Registry, chosen, now, page

Check = Callable[[Registry, Record], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of resource is named on the wire, and what must hold for it.

    `listing` is the member of its List answer, `plural` what follows `List` in that operation's name; `arn_member`
    names its ARN in requests and answers. `check` refuses a bad record before it is kept or changed.
    """

    name: str
    member: str
    listing: str
    plural: str
    check: Check

    @property
    def arn_member(self) -> str:
        """The request's and answer's member that holds the ARN."""
        return f"{self.member}Arn"


class Configurations:
    """The operations on resources of one kind."""

    def __init__(self, registry: Registry, kind: Kind) -> None:
        self._registry = registry
        self._kind = kind

    def create(self, arguments: Record) -> Record:
        """Create...: a new resource of that name, and version where it has one."""
        record: Record = {**arguments, "owner": arns.ACCOUNT, "platform": "Linux", "dateCreated": now()}
        record["tags"] = dict(arguments.get("tags", {}))
        with self._registry.lock:
            version = self._version(arguments)
            if version is not None:
                record["version"] = version
            record["arn"] = self._registry.arn(self._kind.name, arguments["name"], version)
            self._kind.check(self._registry, record)
            self._registry.create(record, arguments)
        return {self._kind.arn_member: record["arn"]}

    def get(self, arguments: Record) -> Record:
        """Get...: the whole resource."""
        return {self._kind.member: self._registry.resolve(arguments[self._kind.arn_member])}

    def list(self, arguments: Record) -> Record:
        """List...: all of the kind, oldest first."""
        own = arguments.get("owner", "Self") == "Self"
        records = chosen(self._registry.of_kind(self._kind.name) if own else [], arguments.get("filters", ()))
        return page(self._kind.listing, [{**record, **_summary(record)} for record in records], arguments)

    def update(self, arguments: Record) -> Record:
        """Update...: the whole content is replaced, as AWS does; what is not given is gone."""
        arn = arguments[self._kind.arn_member]
        with self._registry.lock:
            record = self._registry.get(arn)
            kept = {name: record[name] for name in _KEPT if name in record}
            changed = {**arguments, **kept, "dateUpdated": now()}
            self._kind.check(self._registry, changed)
            record.clear()
            record.update(changed)
        return {self._kind.arn_member: arn}

    def delete(self, arguments: Record) -> Record:
        """Delete..., unless a pipeline uses it."""
        arn = arguments[self._kind.arn_member]
        with self._registry.lock:
            self._registry.get(arn)
            for pipeline in self._registry.of_kind("image-pipeline"):
                if arn in (pipeline.get(member) for member in _PIPELINE_NEEDS):
                    raise in_use(arn, pipeline["arn"])
            self._registry.remove(arn)
        return {self._kind.arn_member: arn}

    def _version(self, arguments: Record) -> str | None:
        version = arguments.get("semanticVersion")
        if version is None:
            return None
        arns.check_reference(version)
        if arns.is_wildcard(version):
            slug = arns.slug(arguments["name"])
            held = [arns.read(record["arn"]) for record in self._registry.of_kind(self._kind.name)]
            version = arns.next_version(version, [arn.version for arn in held if arn.name == slug and arn.version])
        arns.check_version(version)
        return str(version)


def _check_recipe(registry: Registry, record: Record) -> None:
    for configured in record["components"]:
        component = registry.resolve(configured["componentArn"])
        known = {parameter["name"]: parameter for parameter in component["parameters"]}
        given = [parameter["name"] for parameter in configured.get("parameters", ())]
        for name in given:
            if name not in known or given.count(name) > 1:
                raise invalid(f"The component '{component['arn']}' does not take a parameter '{name}' once.")
        for parameter in configured.get("parameters", ()):
            if len(parameter["value"]) != 1:
                raise invalid(f"The parameter '{parameter['name']}' is a string: it takes exactly one value.")
        for name, parameter in known.items():
            if "defaultValue" not in parameter and name not in given:
                raise invalid(f"The component '{component['arn']}' needs its parameter '{name}'.")
    parent = record["parentImage"]
    if not parent.startswith(("ami-", "ssm:", "arn:")):
        raise invalid(f"The value supplied for parameter 'parentImage' is not valid: {parent}.")


def _check_infrastructure(_registry: Registry, _record: Record) -> None:
    """Nothing beyond the model: whether subnets and groups exist shows when an instance is launched, as on AWS."""


def _check_distribution(registry: Registry, record: Record) -> None:
    distribution.check(record["distributions"], registry.region)


def _check_pipeline(registry: Registry, record: Record) -> None:
    if record.get("containerRecipeArn") is not None or record.get("imageRecipeArn") is None:
        raise Refusal("InvalidRequestException", "The local cloud builds AMIs: 'imageRecipeArn' is needed.")
    for member in _PIPELINE_NEEDS:
        if record.get(member) is not None:
            registry.resolve(record[member])
    record.setdefault("status", "ENABLED")
    record.setdefault("imageTestsConfiguration", {"imageTestsEnabled": True, "timeoutMinutes": 720})
    record.setdefault("enhancedImageMetadataEnabled", True)


def _check_lifecycle(_registry: Registry, record: Record) -> None:
    if record["resourceType"] != "AMI_IMAGE":
        raise invalid("The local cloud has images only: 'resourceType' must be AMI_IMAGE.")
    record.setdefault("status", "ENABLED")


def _summary(record: Record) -> Record:
    """What a listing shows besides a resource's own members."""
    regions: Iterable[str] = (item["region"] for item in record.get("distributions", ()))
    return {"regions": list(dict.fromkeys(regions))} if "distributions" in record else {}


_PIPELINE_NEEDS = ("imageRecipeArn", "infrastructureConfigurationArn", "distributionConfigurationArn")
_KEPT = ("arn", "name", "owner", "platform", "dateCreated", "dateLastRun", "tags")

KINDS = {
    "ImageRecipe": Kind("image-recipe", "imageRecipe", "imageRecipeSummaryList", "ImageRecipes", _check_recipe),
    "InfrastructureConfiguration": Kind(
        "infrastructure-configuration",
        "infrastructureConfiguration",
        "infrastructureConfigurationSummaryList",
        "InfrastructureConfigurations",
        _check_infrastructure,
    ),
    "DistributionConfiguration": Kind(
        "distribution-configuration",
        "distributionConfiguration",
        "distributionConfigurationSummaryList",
        "DistributionConfigurations",
        _check_distribution,
    ),
    "ImagePipeline": Kind("image-pipeline", "imagePipeline", "imagePipelineList", "ImagePipelines", _check_pipeline),
    "LifecyclePolicy": Kind(
        "lifecycle-policy", "lifecyclePolicy", "lifecyclePolicySummaryList", "LifecyclePolicies", _check_lifecycle
    ),
}
