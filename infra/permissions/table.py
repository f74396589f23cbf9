"""Which actions deploying takes, by Pulumi's type token; a type that is missing is refused loudly."""

from __future__ import annotations

from infra.permissions import ec2_rules, service_rules
from infra.permissions.rules import Rule

DEPLOYING: dict[str, tuple[Rule, ...]] = {
    **ec2_rules.NETWORK,
    **ec2_rules.ACCESS,
    **ec2_rules.LAUNCHES,
    **ec2_rules.LOOKUPS,
    **service_rules.ROLES,
    **service_rules.BUILDS,
    **service_rules.LOGS,
    **service_rules.STORAGE,
    **service_rules.SECRETS,
    **service_rules.BUDGETS,
    **service_rules.INTERRUPTIONS,
}

UNSCOPED: dict[str, str] = {
    "ce:ListCostAllocationTags": "billing knows no resources",
    "ec2:Describe": "lists of EC2 know no resources",
    "elasticfilesystem:CreateFileSystem": "what is not there yet has no ARN; the tag is its condition",
    "imagebuilder:List": "lists of everything; what is not the event's is passed over",
    "logs:DescribeLogGroups": "lists of everything",
    "pricing:GetProducts": "the price list is the same for all",
}
"""The actions, or their beginnings, that are granted on `*`, and why there is no other way."""
