"""Declare the secrets that an event's image builds read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.component import Component
from infra.tags import Labels

RECOVERY_DAYS = 7
"""How long a deleted secret can be had back."""


@dataclass(frozen=True)
class SecretsArgs:
    """What each secret is, in a sentence, and the values that are known; both by the secrets' names.

    A secret without a value is given one elsewhere, and an image build that reads it before that fails.
    """

    wanted: Mapping[str, str]
    values: Mapping[str, pulumi.Output[str]]
    labels: Labels


class Secrets(Component):
    """One Secrets Manager secret for each name; who may read it is written in the reader's role."""

    arns: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, args: SecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Secrets", name, args.labels, opts)
        self.arns = {each: self._secret(each, args) for each in sorted(args.wanted)}
        self.register_outputs({"arns": self.arns})

    def _secret(self, name: str, args: SecretsArgs) -> pulumi.Output[str]:
        purpose = f"secret-{name}"
        secret = aws.secretsmanager.Secret(
            self.called(purpose),
            description=args.wanted[name],
            recovery_window_in_days=RECOVERY_DAYS,
            tags=self.tags(purpose),
            opts=self.inside,
        )
        if name in args.values:
            value: pulumi.Input[str] = args.values[name]
            aws.secretsmanager.SecretVersion(
                self.called(purpose),
                secret_id=secret.id,
                # wrapped again, so that no caller can forget to
                secret_string=pulumi.Output.secret(value),
                opts=self.inside,
            )
        return secret.arn
