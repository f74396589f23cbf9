"""Make EC2 Image Builder's components, recipes, configurations, pipelines, lifecycle policies."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from localcloud.deployer.handler import Created, Handler, Made, Wanted
from localcloud.deployer.shapes import camel


def _create_component(wanted: Wanted) -> Created:
    arguments = _arguments(wanted, "platform", "data", "uri", "description", "changeDescription", "tags")
    answer = wanted.client("imagebuilder").create_component(semanticVersion=wanted.inputs["version"], **arguments)
    return _created(answer["componentBuildVersionArn"])


def _create_recipe(wanted: Wanted) -> Created:
    arguments = _arguments(
        wanted, "parentImage", "description", "blockDeviceMappings", "workingDirectory", "amiTags", "tags"
    )
    if "systemsManagerAgent" in wanted.inputs:
        arguments["additionalInstanceConfiguration"] = camel(
            {"systemsManagerAgent": wanted.inputs["systemsManagerAgent"]}
        )
    answer = wanted.client("imagebuilder").create_image_recipe(
        semanticVersion=wanted.inputs["version"],
        components=[_step(component) for component in wanted.inputs["components"]],
        **arguments,
    )
    return _created(answer["imageRecipeArn"])


def _step(component: dict[str, Any]) -> dict[str, Any]:
    """Spell a parameter's value as the API does: a list of one."""
    step: dict[str, Any] = {"componentArn": component["componentArn"]}
    if component.get("parameters"):
        step["parameters"] = [
            {"name": parameter["name"], "value": [parameter["value"]]} for parameter in component["parameters"]
        ]
    return step


def _create_infrastructure(wanted: Wanted) -> Created:
    arguments = _arguments(
        wanted,
        "instanceProfileName",
        "instanceTypes",
        "subnetId",
        "securityGroupIds",
        "instanceMetadataOptions",
        "logging",
        "snsTopicArn",
        "terminateInstanceOnFailure",
        "keyPair",
        "description",
        "resourceTags",
        "tags",
    )
    answer = wanted.client("imagebuilder").create_infrastructure_configuration(**arguments)
    return _created(answer["infrastructureConfigurationArn"])


def _create_distribution(wanted: Wanted) -> Created:
    arguments = _arguments(wanted, "distributions", "description", "tags")
    answer = wanted.client("imagebuilder").create_distribution_configuration(**arguments)
    return _created(answer["distributionConfigurationArn"])


def _create_pipeline(wanted: Wanted) -> Created:
    arguments = _arguments(
        wanted,
        "imageRecipeArn",
        "infrastructureConfigurationArn",
        "distributionConfigurationArn",
        "enhancedImageMetadataEnabled",
        "imageTestsConfiguration",
        "loggingConfiguration",
        "schedule",
        "status",
        "description",
        "tags",
    )
    answer = wanted.client("imagebuilder").create_image_pipeline(**arguments)
    return _created(answer["imagePipelineArn"])


def _create_lifecycle_policy(wanted: Wanted) -> Created:
    arguments = _arguments(
        wanted, "executionRole", "policyDetails", "resourceSelection", "resourceType", "status", "description", "tags"
    )
    answer = wanted.client("imagebuilder").create_lifecycle_policy(**arguments)
    return _created(answer["lifecyclePolicyArn"])


def _arguments(wanted: Wanted, *names: str) -> dict[str, Any]:
    """Take the inputs whose names the API shares."""
    given = camel({name: wanted.inputs[name] for name in names if name in wanted.inputs})
    return {"name": wanted.inputs["name"], "clientToken": str(uuid.uuid4()), **given}


def _created(arn: str) -> Created:
    return Created(arn, {"arn": arn})


def _handler(create: Callable[[Wanted], Created], kind: str, argument: str) -> Handler:
    """Find and delete by ARN: `get_<kind>` and `delete_<kind>`, each with the one `argument`."""

    def call(made: Made, verb: str) -> Any:
        return getattr(made.client("imagebuilder"), f"{verb}_{kind}")(**{argument: made.id})

    return Handler(
        create,
        lambda made: call(made, "get"),
        lambda made: call(made, "delete"),
        name_input="name",
    )


HANDLERS = {
    "aws:imagebuilder/component:Component": _handler(_create_component, "component", "componentBuildVersionArn"),
    "aws:imagebuilder/imageRecipe:ImageRecipe": _handler(_create_recipe, "image_recipe", "imageRecipeArn"),
    "aws:imagebuilder/infrastructureConfiguration:InfrastructureConfiguration": _handler(
        _create_infrastructure, "infrastructure_configuration", "infrastructureConfigurationArn"
    ),
    "aws:imagebuilder/distributionConfiguration:DistributionConfiguration": _handler(
        _create_distribution, "distribution_configuration", "distributionConfigurationArn"
    ),
    "aws:imagebuilder/imagePipeline:ImagePipeline": _handler(_create_pipeline, "image_pipeline", "imagePipelineArn"),
    "aws:imagebuilder/lifecyclePolicy:LifecyclePolicy": _handler(
        _create_lifecycle_policy, "lifecycle_policy", "lifecyclePolicyArn"
    ),
}
