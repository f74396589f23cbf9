"""Resources are kept by the service's rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localcloud.imagebuilder.clients import Clients
from localcloud.imagebuilder.images import Images
from localcloud.imagebuilder.operations import Operations
from localcloud.imagebuilder.refusals import Refusal
from localcloud.imagebuilder.registry import Registry

DATA = """schemaVersion: 1.0
parameters:
  - Home: {type: string, default: /home/ubuntu}
  - Needed: {type: string}
phases:
  - name: build
    steps:
      - {name: Say, action: ExecuteBash, inputs: {commands: [echo hello]}}
"""


class Service:
    """Image Builder without HTTP."""

    def __init__(self, folder: Path) -> None:
        registry, clients = Registry("eu-west-3"), Clients("http://127.0.0.1:9", "eu-west-3")
        self._operations = Operations(registry, clients, Images(registry, clients, machine_of=_none, folder=folder))

    def __call__(self, operation: str, **arguments: Any) -> dict[str, Any]:
        return self._operations.answer(operation, arguments)

    def component(self, version: str = "1.0.0", **changes: Any) -> str:
        request = {"name": "My Part", "semanticVersion": version, "platform": "Linux", "data": DATA, **changes}
        return str(self("CreateComponent", **request)["componentBuildVersionArn"])

    def recipe(self, component: str, version: str = "1.0.0", **changes: Any) -> str:
        used = {"componentArn": component, "parameters": [{"name": "Needed", "value": ["x"]}]}
        request = {"name": "iris", "semanticVersion": version, "components": [used], "parentImage": "ami-1", **changes}
        return str(self("CreateImageRecipe", **request)["imageRecipeArn"])

    def infrastructure(self) -> str:
        answer = self("CreateInfrastructureConfiguration", name="infra", instanceProfileName="builder")
        return str(answer["infrastructureConfigurationArn"])

    def pipeline(self, recipe: str, infrastructure: str) -> str:
        request = {"name": "iris", "imageRecipeArn": recipe, "infrastructureConfigurationArn": infrastructure}
        return str(self("CreateImagePipeline", **request)["imagePipelineArn"])

    def refused(self, operation: str, **arguments: Any) -> Refusal:
        with pytest.raises(Refusal) as caught:
            self(operation, **arguments)
        return caught.value


def _none(instance_id: str) -> Any:
    raise KeyError(instance_id)


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


def test_arns_are_formed_as_aws_forms_them(service: Service) -> None:
    base = "arn:aws:imagebuilder:eu-west-3:123456789012"
    component = service.component()
    assert component == f"{base}:component/my-part/1.0.0/1"
    assert service.recipe(component) == f"{base}:image-recipe/iris/1.0.0"
    assert service.infrastructure() == f"{base}:infrastructure-configuration/infra"


def test_a_component_cannot_be_made_twice(service: Service) -> None:
    service.component()
    with pytest.raises(Refusal) as caught:
        service.component(description="changed")
    assert caught.value.code == "ResourceAlreadyExistsException"


def test_a_repeated_client_token_gives_the_first_answer(service: Service) -> None:
    assert service.component(clientToken="t") == service.component(clientToken="t")
    with pytest.raises(Refusal) as caught:
        service.component("1.0.1", clientToken="t")
    assert caught.value.code == "IdempotentParameterMismatchException"


def test_a_document_awstoe_would_refuse_makes_no_component(service: Service) -> None:
    with pytest.raises(Refusal, match="line 8: step Say: AWSTOE has no action"):
        service.component(data=DATA.replace("ExecuteBash", "Bash"))
    assert service("ListComponents")["componentVersionList"] == []


def test_data_and_uri_exclude_each_other(service: Service) -> None:
    with pytest.raises(Refusal) as caught:
        service.component(uri="s3://bucket/key")
    assert caught.value.code == "InvalidParameterCombinationException"


def test_a_dry_run_keeps_nothing(service: Service) -> None:
    with pytest.raises(Refusal) as caught:
        service.component(dryRun=True)
    assert caught.value.code == "DryRunOperationException"
    assert service("ListComponents")["componentVersionList"] == []


def test_a_wildcard_means_the_newest_version(service: Service) -> None:
    for version in ("1.0.9", "1.0.10", "2.0.0"):
        service.component(version)
    arn = "arn:aws:imagebuilder:eu-west-3:123456789012:component/my-part/"
    for reference, expected in (("1.x.x", "1.0.10"), ("x.x.x", "2.0.0"), ("1.0.9", "1.0.9")):
        found = service("GetComponent", componentBuildVersionArn=arn + reference)["component"]
        assert found["version"] == expected
    assert service.refused("GetComponent", componentBuildVersionArn=arn + "3.x.x").code == "ResourceNotFoundException"


def test_a_recipe_needs_components_that_are_there_with_the_parameters_they_have(service: Service) -> None:
    component = service.component()
    with pytest.raises(Refusal, match="does not exist"):
        service.recipe(component.replace("my-part", "other"))
    with pytest.raises(Refusal, match="needs its parameter 'Needed'"):
        service.recipe(component, components=[{"componentArn": component}])
    wrong = {"componentArn": component, "parameters": [{"name": "Odd", "value": ["x"]}]}
    with pytest.raises(Refusal, match="does not take a parameter 'Odd'"):
        service.recipe(component, components=[wrong])


def test_a_recipe_version_with_a_wildcard_is_the_next_one(service: Service) -> None:
    component = service.component()
    service.recipe(component, "1.0.4")
    assert service.recipe(component, "1.0.x").endswith("/1.0.5")


def test_what_others_depend_on_cannot_be_deleted(service: Service) -> None:
    component, infrastructure = service.component(), service.infrastructure()
    recipe = service.recipe(component)
    pipeline = service.pipeline(recipe, infrastructure)
    for operation, arguments in (
        ("DeleteComponent", {"componentBuildVersionArn": component}),
        ("DeleteImageRecipe", {"imageRecipeArn": recipe}),
        ("DeleteInfrastructureConfiguration", {"infrastructureConfigurationArn": infrastructure}),
    ):
        assert service.refused(operation, **arguments).code == "ResourceDependencyException"
    service("DeleteImagePipeline", imagePipelineArn=pipeline)
    service("DeleteImageRecipe", imageRecipeArn=recipe)
    service("DeleteComponent", componentBuildVersionArn=component)
    assert service.refused("DeleteComponent", componentBuildVersionArn=component).code == "ResourceNotFoundException"


def test_an_update_replaces_the_content_and_keeps_the_identity(service: Service) -> None:
    arn = service.infrastructure()
    service("TagResource", resourceArn=arn, tags={"event": "iris"})
    change = {"instanceProfileName": "other", "instanceTypes": ["t3.small"]}
    service("UpdateInfrastructureConfiguration", infrastructureConfigurationArn=arn, **change)
    found = service("GetInfrastructureConfiguration", infrastructureConfigurationArn=arn)["infrastructureConfiguration"]
    assert (found["name"], found["instanceProfileName"], found["tags"]) == ("infra", "other", {"event": "iris"})


def test_tags_are_added_and_taken_away(service: Service) -> None:
    arn = service.infrastructure()
    service("TagResource", resourceArn=arn, tags={"a": "1", "b": "2"})
    service("UntagResource", resourceArn=arn, tagKeys=["a", "none"])
    assert service("ListTagsForResource", resourceArn=arn) == {"tags": {"b": "2"}}


def test_listings_come_in_pages(service: Service) -> None:
    for patch in range(5):
        service.component(f"1.0.{patch}")
    first = service("ListComponents", maxResults=3)
    second = service("ListComponents", maxResults=3, nextToken=first["nextToken"])
    versions = [item["version"] for page in (first, second) for item in page["componentVersionList"]]
    assert versions == [f"1.0.{patch}" for patch in range(5)]
    assert "nextToken" not in second
    assert service.refused("ListComponents", nextToken="rubbish").code == "InvalidPaginationTokenException"


def test_listings_are_filtered(service: Service) -> None:
    service.component()
    service.component(name="Another")
    found = service("ListComponents", filters=[{"name": "name", "values": ["Another"]}])["componentVersionList"]
    assert [item["name"] for item in found] == ["Another"]
    assert service("ListComponents", owner="Amazon")["componentVersionList"] == []
    assert service.refused("ListComponents", filters=[{"name": "colour", "values": ["x"]}]).message.startswith(
        "The filter"
    )


def test_a_distribution_elsewhere_is_refused_and_says_why(service: Service) -> None:
    refused = service.refused("CreateDistributionConfiguration", name="dist", distributions=[{"region": "us-east-1"}])
    assert "within eu-west-3 only" in refused.message


def test_a_pipeline_of_things_that_are_not_there_is_refused(service: Service) -> None:
    with pytest.raises(Refusal, match="does not exist"):
        service.pipeline(
            "arn:aws:imagebuilder:eu-west-3:123456789012:image-recipe/none/1.0.0", service.infrastructure()
        )


def test_an_operation_the_emulator_lacks_is_named(service: Service) -> None:
    refused = service.refused("CreateWorkflow")
    assert (refused.code, "CreateWorkflow" in refused.message) == ("NotImplementedException", True)


def test_what_an_answer_holds_cannot_change_what_is_kept(service: Service) -> None:
    arn = service.infrastructure()
    service("GetInfrastructureConfiguration", infrastructureConfigurationArn=arn)["infrastructureConfiguration"].clear()
    assert service("GetInfrastructureConfiguration", infrastructureConfigurationArn=arn)["infrastructureConfiguration"]


def _policy(**changes: Any) -> dict[str, Any]:
    detail = {"action": {"type": "DELETE"}, "filter": {"type": "COUNT", "value": 3}}
    request = {"name": "Keep three", "executionRole": "arn:aws:iam::123456789012:role/retirement"}
    selection = {"tagMap": {"rampart:stack": "iris"}}
    return {
        **request,
        "resourceType": "AMI_IMAGE",
        "policyDetails": [detail],
        "resourceSelection": selection,
        **changes,
    }


def test_a_lifecycle_policy_is_kept_changed_and_deleted(service: Service) -> None:
    arn = service("CreateLifecyclePolicy", **_policy())["lifecyclePolicyArn"]

    assert arn == "arn:aws:imagebuilder:eu-west-3:123456789012:lifecycle-policy/keep-three"
    assert service("GetLifecyclePolicy", lifecyclePolicyArn=arn)["lifecyclePolicy"]["status"] == "ENABLED"
    changed = _policy(status="DISABLED")
    del changed["name"]
    service("UpdateLifecyclePolicy", lifecyclePolicyArn=arn, **changed)
    [listed] = service("ListLifecyclePolicies")["lifecyclePolicySummaryList"]
    assert (listed["name"], listed["status"]) == ("Keep three", "DISABLED")
    service("DeleteLifecyclePolicy", lifecyclePolicyArn=arn)
    assert service("ListLifecyclePolicies")["lifecyclePolicySummaryList"] == []


def test_a_lifecycle_policy_of_containers_is_refused(service: Service) -> None:
    assert "AMI_IMAGE" in service.refused("CreateLifecyclePolicy", **_policy(resourceType="CONTAINER_IMAGE")).message
