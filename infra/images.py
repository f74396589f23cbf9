"""Declare the pipeline that builds an event's machine image."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from imagebuilder import catalogue
from infra import naming, policies
from infra.hosts import ROOT_DEVICE
from infra.tags import Labels


@dataclass(frozen=True)
class ImagesArgs:
    """What the image is made from and where: `components` in the order they run."""

    components: tuple[catalogue.Component, ...]
    recipe_version: str
    parent_image: str
    ami_name: str
    instance_type: str
    volume_gib: int
    region: str
    subnet_id: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    labels: Labels


class Images(pulumi.ComponentResource):
    """Components, recipe, where builds run, how images are named, and the pipeline that joins them."""

    pipeline_arn: pulumi.Output[str]

    def __init__(self, name: str, args: ImagesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("rampart:infra:Images", name, None, opts)
        self._args = args
        self._inside = pulumi.ResourceOptions(parent=self)
        # Versions are immutable and images refer to them: a superseded one stays, under the name of its own that
        # Pulumi gave it, so that going back to an older content never meets it.
        self._kept = pulumi.ResourceOptions(parent=self, retain_on_delete=True)
        self.pipeline_arn = self._pipeline(self._recipe(), self._builds(self._profile()), self._distribution())
        self.register_outputs({"pipelineArn": self.pipeline_arn})

    def _pipeline(
        self, recipe: pulumi.Output[str], builds: pulumi.Output[str], distribution: pulumi.Output[str]
    ) -> pulumi.Output[str]:
        pipeline = aws.imagebuilder.ImagePipeline(
            self._called("image"),
            description=f"Image of the event {self._args.labels.event}, built when asked",
            image_recipe_arn=recipe,
            infrastructure_configuration_arn=builds,
            distribution_configuration_arn=distribution,
            image_tests_configuration=aws.imagebuilder.ImagePipelineImageTestsConfigurationArgs(
                image_tests_enabled=True
            ),
            status="ENABLED",
            tags=self._tags("image"),
            opts=self._inside,
        )
        return pipeline.arn

    def _recipe(self) -> pulumi.Output[str]:
        recipe = aws.imagebuilder.ImageRecipe(
            self._called("recipe"),
            version=self._args.recipe_version,
            parent_image=self._args.parent_image,
            components=self._steps(),
            block_device_mappings=[_root_volume(self._args.volume_gib)],
            tags=self._tags("recipe"),
            opts=self._kept,
        )
        return recipe.arn

    def _steps(self) -> Sequence[aws.imagebuilder.ImageRecipeComponentArgs]:
        steps = []
        for component in self._args.components:
            declared = aws.imagebuilder.Component(
                component.name,
                version=component.version,
                platform="Linux",
                data=component.data,
                description=component.description,
                tags=self._args.labels.resource(component.name),
                opts=self._kept,
            )
            parameters = [
                aws.imagebuilder.ImageRecipeComponentParameterArgs(name=name, value=value)
                for name, value in sorted(component.parameters.items())
            ]
            steps.append(aws.imagebuilder.ImageRecipeComponentArgs(component_arn=declared.arn, parameters=parameters))
        return steps

    def _profile(self) -> aws.iam.InstanceProfile:
        partition = naming.partition(self._args.region)
        role = aws.iam.Role(
            self._called("image-build"),
            description="Instances that build images of the event; never hosts that run submissions",
            assume_role_policy=json.dumps(policies.assumed_by_ec2(partition), sort_keys=True),
            tags=self._tags("image-build"),
            opts=self._inside,
        )
        for policy in policies.BUILD_POLICIES:
            aws.iam.RolePolicyAttachment(
                f"{self._called('image-build')}-{policy}",
                role=role.name,
                policy_arn=policies.aws_managed(partition, policy),
                opts=self._inside,
            )
        return aws.iam.InstanceProfile(
            self._called("image-build"), role=role.name, tags=self._tags("image-build"), opts=self._inside
        )

    def _builds(self, profile: aws.iam.InstanceProfile) -> pulumi.Output[str]:
        builds = aws.imagebuilder.InfrastructureConfiguration(
            self._called("builds"),
            instance_profile_name=profile.name,
            instance_types=[self._args.instance_type],
            subnet_id=self._args.subnet_id,
            security_group_ids=[self._args.security_group_id],
            instance_metadata_options=aws.imagebuilder.InfrastructureConfigurationInstanceMetadataOptionsArgs(
                http_tokens="required", http_put_response_hop_limit=1
            ),
            terminate_instance_on_failure=True,
            resource_tags=self._args.labels.instance(self._called("image-build")),
            tags=self._tags("builds"),
            opts=self._inside,
        )
        return builds.arn

    def _distribution(self) -> pulumi.Output[str]:
        ami = aws.imagebuilder.DistributionConfigurationDistributionAmiDistributionConfigurationArgs(
            name=self._args.ami_name,
            description=f"Rampart image of the event {self._args.labels.event}",
            ami_tags=self._args.labels.tested_image(),
        )
        distribution = aws.imagebuilder.DistributionConfiguration(
            self._called("distribution"),
            distributions=[
                aws.imagebuilder.DistributionConfigurationDistributionArgs(
                    region=self._args.region, ami_distribution_configuration=ami
                )
            ],
            tags=self._tags("distribution"),
            opts=self._inside,
        )
        return distribution.arn

    def _called(self, purpose: str) -> str:
        return naming.logical_name(self._args.labels.event, purpose)

    def _tags(self, purpose: str) -> dict[str, str]:
        return self._args.labels.resource(self._called(purpose))


def _root_volume(size_gib: int) -> aws.imagebuilder.ImageRecipeBlockDeviceMappingArgs:
    return aws.imagebuilder.ImageRecipeBlockDeviceMappingArgs(
        device_name=ROOT_DEVICE,
        ebs=aws.imagebuilder.ImageRecipeBlockDeviceMappingEbsArgs(
            volume_type="gp3", volume_size=size_gib, encrypted="true", delete_on_termination="true"
        ),
    )
