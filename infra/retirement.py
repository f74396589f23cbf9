"""Declare when an event's older images are deleted."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from contracts.image import ImageStatus
from infra import naming, policies, tags
from infra.component import Component
from infra.tags import KEEP, STATUS, Labels

KEPT = {KEEP: "true"}
"""The tag that exempts an image, or its AMI, for good."""
OFFERED = {STATUS: ImageStatus.VERIFIED.value}
"""The tag of an AMI that runs may be started from, now or after a rollback; `invoke images --prune` retires these."""
IN_USE_DAYS = 14
"""An AMI that something was launched from since then counts as in use."""


@dataclass(frozen=True)
class ScheduledRecipe:
    """The recipe that a pipeline builds by itself, now."""

    name: pulumi.Input[str]
    version: str


@dataclass(frozen=True)
class RetirementArgs:
    """How many images stay, the newest. `scheduled` is None where images are built when asked alone."""

    keep: int
    scheduled: ScheduledRecipe | None
    region: str
    permissions_boundary: str | None
    labels: Labels


class Retirement(Component):
    """Policies that delete images with their AMIs and snapshots, never one that is verified, launched of late or kept.

    And the role that they take, which cannot delete a verified one either.
    """

    def __init__(self, name: str, args: RetirementArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Retirement", name, args.labels, opts)
        role = self._role(args)
        stack = {tags.STACK: args.labels.stack}
        self._policy(
            "retirement", role, args.keep, aws.imagebuilder.LifecyclePolicyResourceSelectionArgs(tag_map=stack)
        )
        if args.scheduled is not None:
            # The provider cannot yet give a pipeline the tags of what its schedule builds, and a policy goes by tags
            # or by recipes, not both.
            recipe = aws.imagebuilder.LifecyclePolicyResourceSelectionRecipeArgs(
                name=args.scheduled.name, semantic_version=args.scheduled.version
            )
            self._policy(
                "retirement-scheduled",
                role,
                args.keep,
                aws.imagebuilder.LifecyclePolicyResourceSelectionArgs(recipes=[recipe]),
            )
        self.register_outputs({})

    def _role(self, args: RetirementArgs) -> aws.iam.Role:
        document = policies.retires_images(
            naming.partition(args.region), args.region, stack=args.labels.stack, recipe=self.called("recipe")
        )
        role = aws.iam.Role(
            self.called("retirement"),
            description="Image Builder, to delete older images of the event",
            assume_role_policy=json.dumps(policies.assumed_by_image_builder(), sort_keys=True),
            permissions_boundary=args.permissions_boundary,
            tags=self.tags("retirement"),
            opts=self.inside,
        )
        aws.iam.RolePolicy(
            self.called("retirement"), role=role.name, policy=json.dumps(document, sort_keys=True), opts=self.inside
        )
        return role

    def _policy(
        self,
        purpose: str,
        role: aws.iam.Role,
        keep: int,
        selection: aws.imagebuilder.LifecyclePolicyResourceSelectionArgs,
    ) -> None:
        aws.imagebuilder.LifecyclePolicy(
            self.called(purpose),
            description=f"Keeps the newest {keep} images of the event {self.labels.event}, and what may be in use",
            execution_role=role.arn,
            resource_type="AMI_IMAGE",
            resource_selection=selection,
            policy_details=[_delete_beyond(keep)],
            status="ENABLED",
            tags=self.tags(purpose),
            opts=self.inside,
        )


def _delete_beyond(keep: int) -> aws.imagebuilder.LifecyclePolicyPolicyDetailArgs:
    return aws.imagebuilder.LifecyclePolicyPolicyDetailArgs(
        action=aws.imagebuilder.LifecyclePolicyPolicyDetailActionArgs(
            type="DELETE",
            include_resources=aws.imagebuilder.LifecyclePolicyPolicyDetailActionIncludeResourcesArgs(
                amis=True, snapshots=True
            ),
        ),
        filter=aws.imagebuilder.LifecyclePolicyPolicyDetailFilterArgs(type="COUNT", value=keep),
        exclusion_rules=aws.imagebuilder.LifecyclePolicyPolicyDetailExclusionRulesArgs(
            tag_map=KEPT,
            amis=aws.imagebuilder.LifecyclePolicyPolicyDetailExclusionRulesAmisArgs(
                last_launched=aws.imagebuilder.LifecyclePolicyPolicyDetailExclusionRulesAmisLastLaunchedArgs(
                    unit="DAYS", value=IN_USE_DAYS
                ),
                # any of the tags exempts
                tag_map={**KEPT, **OFFERED},
            ),
        ),
    )
