"""Declare the pipeline that builds an event's machine image."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from contracts.errors import AskedWrongly
from imagebuilder import catalogue
from imagebuilder.kit_component import Upload
from infra import image_sources, naming
from infra.component import Component
from infra.image_sources import Sources
from infra.machines import ROOT_DEVICE
from infra.tags import Labels


@dataclass(frozen=True)
class ImagesArgs:
    """What the image is made from, where, and when.

    `image_parameter` is the Systems Manager parameter that gets each tested image's id, `schedule` a cron or rate
    expression, `bucket` the name of the bucket for what is too long to be given inline, `secret_arns` by the secrets'
    names. `kms_key` encrypts the image, the account's default key without it; the accounts `share_with`, and no others,
    may launch it too.
    """

    sources: Sources
    parent_image: str
    ami_name: str
    image_parameter: str
    instance_type: str
    volume_gib: int
    region: str
    subnet_id: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    profile_name: pulumi.Input[str]
    schedule: str | None
    log_retention_days: int
    bucket: pulumi.Input[str] | None
    secret_arns: Mapping[str, pulumi.Input[str]]
    kms_key: str | None
    share_with: Sequence[str]
    labels: Labels


class Images(Component):
    """Components, recipe, where builds run, how images are named, where they log, and the pipeline that joins them."""

    pipeline_arn: pulumi.Output[str]
    recipe_name: pulumi.Output[str]
    log_group: pulumi.Output[str]

    def __init__(self, name: str, args: ImagesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises AskedWrongly for what needs a bucket or a secret where there is none."""
        _refuse_what_lacks(args)
        super().__init__("Images", name, args.labels, opts)
        self._args = args
        # Versions are immutable and images refer to them: a superseded one stays, under the name of its own that
        # Pulumi gave it, so that going back to an older content never meets it.
        self._kept = pulumi.ResourceOptions(parent=self, retain_on_delete=True)
        recipe = self._recipe()
        self.recipe_name = recipe.name
        self.log_group = self._logs()
        self.pipeline_arn = self._pipeline(recipe.arn, self._builds(), self._distribution())
        self.register_outputs(
            {"pipelineArn": self.pipeline_arn, "recipeName": self.recipe_name, "logGroup": self.log_group}
        )

    def _pipeline(
        self, recipe: pulumi.Output[str], builds: pulumi.Output[str], distribution: pulumi.Output[str]
    ) -> pulumi.Output[str]:
        when = "when asked" if self._args.schedule is None else "on schedule and when asked"
        pipeline = aws.imagebuilder.ImagePipeline(
            self.called("image"),
            description=f"Image of the event {self.labels.event}, built {when}",
            image_recipe_arn=recipe,
            infrastructure_configuration_arn=builds,
            distribution_configuration_arn=distribution,
            image_tests_configuration=aws.imagebuilder.ImagePipelineImageTestsConfigurationArgs(
                image_tests_enabled=True
            ),
            # The streams stay apart: builds log to <version>/<build>, the pipeline itself to a date.
            logging_configuration=aws.imagebuilder.ImagePipelineLoggingConfigurationArgs(
                image_log_group_name=self.log_group, pipeline_log_group_name=self.log_group
            ),
            schedule=_schedule(self._args.schedule),
            status="ENABLED",
            tags=self.tags("image"),
            opts=self.inside,
        )
        return pipeline.arn

    def _recipe(self) -> aws.imagebuilder.ImageRecipe:
        args, sources = self._args, self._args.sources
        uploads = [self._upload(number, upload, args.bucket) for number, upload in enumerate(sources.uploads, 1)]
        return aws.imagebuilder.ImageRecipe(
            self.called("recipe"),
            version=sources.recipe_version,
            parent_image=args.parent_image,
            components=[self._step(component) for component in sources.components],
            block_device_mappings=[_root_volume(args.volume_gib, args.kms_key)],
            # a host must not take orders from anybody who may use Systems Manager
            systems_manager_agent=aws.imagebuilder.ImageRecipeSystemsManagerAgentArgs(uninstall_after_build=True),
            # an AMI whose build ended before its tests knows its owner too
            ami_tags=self.labels.built_image(sources.recipe_version),
            tags=self.tags("recipe"),
            opts=pulumi.ResourceOptions.merge(self._kept, pulumi.ResourceOptions(depends_on=uploads)),
        )

    def _step(self, component: catalogue.Component) -> aws.imagebuilder.ImageRecipeComponentArgs:
        bucket = self._args.bucket
        uri = self._uploaded(component, bucket) if component.is_long and bucket is not None else None
        declared = aws.imagebuilder.Component(
            component.name,
            version=component.version,
            platform="Linux",
            data=component.data if uri is None else None,
            uri=uri,
            description=component.description,
            tags=self.labels.resource(component.name),
            opts=self._kept,
        )
        parameters = [
            aws.imagebuilder.ImageRecipeComponentParameterArgs(name=name, value=self._value(value))
            for name, value in sorted(component.parameters.items())
        ]
        return aws.imagebuilder.ImageRecipeComponentArgs(component_arn=declared.arn, parameters=parameters)

    def _value(self, value: str) -> pulumi.Input[str]:
        """Fill in what is known once bucket and secrets are there."""
        names = sorted(image_sources.secrets_in(value))
        if not names and not image_sources.names_bucket(value):
            return value
        arns = [self._args.secret_arns[name] for name in names]
        return pulumi.Output.all(self._args.bucket or "", *arns).apply(
            lambda known: image_sources.filled(value, known[0], dict(zip(names, known[1:], strict=True)))
        )

    def _upload(self, number: int, upload: Upload, bucket: pulumi.Input[str] | None) -> aws.s3.BucketObjectv2:
        """Put a kit into the bucket. A build that is under way reads it, so a superseded one stays."""
        purpose = f"image-upload-{number}"
        return aws.s3.BucketObjectv2(
            self.called(purpose),
            bucket=bucket or "",
            key=upload.key,
            content_base64=base64.b64encode(upload.content).decode(),
            content_type="application/gzip",
            server_side_encryption="AES256",
            tags=self.tags(purpose),
            opts=self._kept,
        )

    def _uploaded(self, component: catalogue.Component, bucket: pulumi.Input[str]) -> pulumi.Output[str]:
        """Put a document into the bucket. Image Builder copies it once, so it need not outlive its component."""
        document = aws.s3.BucketObjectv2(
            f"{component.name}-document",
            bucket=bucket,
            key=f"components/{component.name}/{component.version}.yml",
            content=component.data,
            content_type="application/yaml",
            server_side_encryption="AES256",
            tags=self.labels.resource(f"{component.name}-document"),
            opts=self.inside,
        )
        return pulumi.Output.concat("s3://", document.bucket, "/", document.key)

    def _builds(self) -> pulumi.Output[str]:
        builds = aws.imagebuilder.InfrastructureConfiguration(
            self.called("builds"),
            instance_profile_name=self._args.profile_name,
            instance_types=[self._args.instance_type],
            subnet_id=self._args.subnet_id,
            security_group_ids=[self._args.security_group_id],
            instance_metadata_options=aws.imagebuilder.InfrastructureConfigurationInstanceMetadataOptionsArgs(
                http_tokens="required", http_put_response_hop_limit=1
            ),
            terminate_instance_on_failure=True,
            resource_tags=self.labels.instance(self.called("image-build")),
            tags=self.tags("builds"),
            opts=self.inside,
        )
        return builds.arn

    def _distribution(self) -> pulumi.Output[str]:
        ami = aws.imagebuilder.DistributionConfigurationDistributionAmiDistributionConfigurationArgs(
            name=self._args.ami_name,
            description=f"Rampart image of the event {self.labels.event}",
            ami_tags=self.labels.tested_image(self._args.sources.recipe_version),
            launch_permission=_only_for(self._args.share_with),
        )
        parameter = aws.imagebuilder.DistributionConfigurationDistributionSsmParameterConfigurationArgs(
            parameter_name=self._args.image_parameter, data_type="aws:ec2:image"
        )
        distribution = aws.imagebuilder.DistributionConfiguration(
            self.called("distribution"),
            distributions=[
                aws.imagebuilder.DistributionConfigurationDistributionArgs(
                    region=self._args.region,
                    ami_distribution_configuration=ami,
                    ssm_parameter_configurations=[parameter],
                )
            ],
            tags=self.tags("distribution"),
            opts=self.inside,
        )
        return distribution.arn

    def _logs(self) -> pulumi.Output[str]:
        group = aws.cloudwatch.LogGroup(
            self.called("image-logs"),
            # a name of its own each time: Image Builder makes the group it misses, an interrupted up leaves one behind
            name_prefix=naming.image_log_group_prefix(self.labels.event),
            retention_in_days=self._args.log_retention_days,
            tags=self.tags("image-logs"),
            opts=self.inside,
        )
        return group.name


def _refuse_what_lacks(args: ImagesArgs) -> None:
    lacking = sorted(args.sources.secrets - set(args.secret_arns))
    if lacking:
        message = f"the image's components name a secret that the event does not have: {', '.join(lacking)}"
        raise AskedWrongly(message, hint=f"write infra.secrets: {{{lacking[0]}: a sentence on what it is}}")
    if args.bucket is None and args.sources.needs_bucket:
        hint = "write infra.storage.bucket: true, or give the kit by git"
        raise AskedWrongly(args.sources.reason_for_bucket(), hint=hint)


def _only_for(
    accounts: Sequence[str],
) -> aws.imagebuilder.DistributionConfigurationDistributionAmiDistributionConfigurationLaunchPermissionArgs | None:
    """Let these accounts launch the image; never a group, for the one group there is are all accounts."""
    if not accounts:
        return None
    return aws.imagebuilder.DistributionConfigurationDistributionAmiDistributionConfigurationLaunchPermissionArgs(
        user_ids=sorted(accounts)
    )


def _schedule(expression: str | None) -> aws.imagebuilder.ImagePipelineScheduleArgs | None:
    """Build only when there is something new: the parent image's parameter or version."""
    if expression is None:
        return None
    return aws.imagebuilder.ImagePipelineScheduleArgs(
        schedule_expression=expression,
        pipeline_execution_start_condition="EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE",
        timezone="Etc/UTC",
    )


def _root_volume(size_gib: int, kms_key: str | None) -> aws.imagebuilder.ImageRecipeBlockDeviceMappingArgs:
    return aws.imagebuilder.ImageRecipeBlockDeviceMappingArgs(
        device_name=ROOT_DEVICE,
        ebs=aws.imagebuilder.ImageRecipeBlockDeviceMappingEbsArgs(
            volume_type="gp3",
            volume_size=size_gib,
            encrypted="true",
            # a distribution's own key holds for copies in other regions alone
            kms_key_id=kms_key,
            delete_on_termination="true",
        ),
    )
