"""Write rules as IAM documents, none longer than IAM takes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from contracts.image import PINNED_TAG
from infra.permissions.rules import Kind, Rule
from infra.permissions.scope import Scope
from infra.tags import KEEP, STACK, STATUS

LONGEST = 6144
"""Characters of a managed policy, blanks not counted."""
_REQUESTED = f"aws:RequestTag/{STACK}"
_OWNED = f"aws:ResourceTag/{STACK}"


def named(name: str, rules: Sequence[Rule], scope: Scope) -> Iterator[tuple[str, dict[str, Any]]]:
    """One document of that name, or several with a number after it."""
    documents = [_document(statements) for statements in _packed(_statements(rules, scope))]
    if len(documents) == 1:
        yield name, documents[0]
    else:
        yield from ((f"{name}-{number}", each) for number, each in zip(count(1), documents, strict=False))


def length(document: dict[str, Any]) -> int:
    """How long IAM finds it."""
    return len("".join(json.dumps(document, separators=(",", ":")).split()))


def _statements(rules: Sequence[Rule], scope: Scope) -> list[dict[str, Any]]:
    """One statement for each kind, in the order of the kinds, whatever the order of the rules."""
    settled = [each for rule in rules for each in _settled(rule, scope)]
    by_kind = {kind: [rule for rule in settled if rule.kind is kind] for kind in Kind}
    return [_statement(kind, same, settled, scope) for kind, same in by_kind.items() if same]


def _settled(rule: Rule, scope: Scope) -> Iterator[Rule]:
    """Say which network, key pair and parameters of the event are meant; nothing where it has none of them."""
    network, key_name, where = scope.event.infra.network, scope.event.worker.key_name, "arn:{partition}:ec2:{region}:*:"
    if rule.kind is Kind.STAND_IN and network.vpc == "own":
        yield Rule(Kind.CHANGE, rule.actions, rule.resources)
    elif rule.kind is Kind.STAND_IN and network.vpc != "default":
        subnets = dict.fromkeys([*network.subnet_ids, *filter(None, [network.build_subnet_id])])
        ids = {"vpc/*": [f"vpc/{network.vpc}"], "subnet/*": [f"subnet/{name}" for name in subnets]}
        found = [where + name for one in rule.resources for name in ids[one.removeprefix(where)]]
        yield Rule(Kind.STAND_IN, rule.actions, tuple(found))
    elif rule.kind is Kind.OPEN_WITH:
        named_pair = (f"{where}key-pair/{key_name}",) if key_name else rule.resources
        yield Rule(Kind.OPEN_WITH if key_name else Kind.CHANGE, rule.actions, named_pair)
    elif rule.kind is Kind.PARAMETERS:
        parameters = tuple(_parameters(scope))
        if parameters:
            yield Rule(rule.kind, rule.actions, parameters)
    else:
        yield rule


def _parameters(scope: Scope) -> Iterator[str]:
    """The parameters that hold ids of images, which are mostly Amazon's or Canonical's."""
    for reference in dict.fromkeys([scope.event.infra.image.parent_image, scope.event.infra.gateway.image]):
        name = reference.removeprefix("ssm:")
        if reference.startswith("ssm:arn:"):
            yield name
        elif reference.startswith("ssm:"):
            yield "arn:{partition}:ssm:{region}:*:parameter/" + name.removeprefix("/")


def _statement(kind: Kind, same: Sequence[Rule], all_rules: Sequence[Rule], scope: Scope) -> dict[str, Any]:
    resources = {arn for rule in same for one in rule.resources for arn in scope.resources(one)}
    statement: dict[str, Any] = {
        "Sid": kind.value,
        "Effect": "Allow",
        "Action": sorted({action for rule in same for action in rule.actions}),
        "Resource": sorted(resources) or "*",
    }
    condition = _condition(kind, same, all_rules, scope)
    return statement | ({"Condition": condition} if condition else {})


def _condition(kind: Kind, same: Sequence[Rule], all_rules: Sequence[Rule], scope: Scope) -> dict[str, Any]:
    """What must hold besides; the one place where a kind gets its condition."""
    asked, owned = {_REQUESTED: scope.name}, {_OWNED: scope.name}
    values = sorted({scope.service(value) for rule in same for value in rule.values})
    boundary = scope.event.infra.permissions_boundary
    bounded = {"ArnEquals": {"iam:PermissionsBoundary": boundary}} if boundary else {}
    match kind:
        case Kind.CREATE | Kind.CREATE_FILES:
            return {"StringEquals": asked}
        case Kind.TAG:
            return {"StringEquals": {**asked, "ec2:CreateAction": _creating(all_rules)}}
        case Kind.TAG_FILES:
            making = ["CreateAccessPoint", "CreateFileSystem"]
            return {"StringEquals": {**asked, "elasticfilesystem:CreateAction": making}}
        case Kind.CHANGE:
            return {"StringEquals": owned}
        case Kind.CLOSE:
            return {"Null": {_OWNED: "true"}}
        case Kind.CLAIM:
            return {"Null": {_OWNED: "true"}, "StringEquals": asked}
        case Kind.TUNNEL:
            return {"StringEquals": owned, "NumericEquals": {"ec2-instance-connect:remotePort": "22"}}
        case Kind.SNAPSHOTS:
            return {"StringEquals": {"aws:ResourceTag/CreatedBy": "EC2 Image Builder"}}
        case Kind.MARK:
            return {
                "Null": {_OWNED: "true"},
                "ForAllValues:StringEquals": {"aws:TagKeys": sorted([PINNED_TAG, KEEP, STATUS])},
            }
        case Kind.KEY:
            return {"StringEquals": {"kms:ViaService": scope.through("ec2")}}
        case Kind.ELSEWHERE:
            return {"StringLike": {"s3:prefix": values}}
        case Kind.MAKE_ROLES:
            return bounded
        case Kind.AWS_POLICIES:
            return {"ArnEquals": {"iam:PolicyARN": values, **bounded.get("ArnEquals", {})}}
        case Kind.HAND_OVER:
            return {"StringEquals": {"iam:PassedToService": values}}
        case Kind.LINKED:
            return {"StringEquals": {"iam:AWSServiceName": values}}
        case _:
            return {}


def _creating(rules: Sequence[Rule]) -> list[str]:
    """The calls of EC2 that make something, as its tags know them."""
    making = {action for rule in rules if rule.kind in (Kind.CREATE, Kind.LAUNCH) for action in rule.actions}
    return sorted(action.removeprefix("ec2:") for action in making)


def _packed(statements: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Fill as few documents as fit, in order; a statement too long for one of its own is divided by its actions."""
    packs: list[list[dict[str, Any]]] = [[]]
    for statement in statements:
        for piece in _pieces(statement):
            if packs[-1] and length(_document([*packs[-1], piece])) > LONGEST:
                packs.append([])
            packs[-1].append(piece)
    return packs


def _pieces(statement: dict[str, Any]) -> list[dict[str, Any]]:
    if length(_document([statement])) <= LONGEST:
        return [statement]
    half = len(statement["Action"]) // 2
    first, second = (
        statement | {"Action": actions} for actions in (statement["Action"][:half], statement["Action"][half:])
    )
    return [*_pieces(first), *_pieces(second)]


def _document(statements: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
