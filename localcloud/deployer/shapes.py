"""Turn inputs as Pulumi's AWS provider names them into parameters as AWS's API takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.deployer.handler import Wanted

_BOOLEANS_AS_TEXT = {"encrypted", "deleteOnTermination", "ebsOptimized", "associatePublicIpAddress"}
"""The provider takes "true", "false" or nothing for these; the API takes booleans."""


_SPELLINGS = {
    # where the API writes an abbreviation otherwise
    "vcpuCount": "VCpuCount",
    "memoryMib": "MemoryMiB",
    "memoryGibPerVcpu": "MemoryGiBPerVCpu",
    "totalLocalStorageGb": "TotalLocalStorageGB",
    "acceleratorTotalMemoryMib": "AcceleratorTotalMemoryMiB",
    "kmsMasterKeyId": "KMSMasterKeyID",
    "sseAlgorithm": "SSEAlgorithm",
    "id": "ID",
}


def tag_specifications(wanted: Wanted, kind: str) -> list[dict[str, Any]]:
    """Tag a resource of EC2 as it is created."""
    tags = tag_list(wanted.inputs.get("tags", {}))
    return [{"ResourceType": kind, "Tags": tags}] if tags else []


def arn_of(wanted: Wanted, service: str, resource: str) -> str:
    """Name a resource for which the API gives no ARN."""
    partition, account = wanted.client("sts").get_caller_identity()["Arn"].split(":")[1:5:3]
    return f"arn:{partition}:{service}:{wanted.region}:{account}:{resource}"


def chosen(inputs: Mapping[str, Any], *names: str, **otherwise: str) -> dict[str, Any]:
    """Take inputs where they are given: by their names capitalised, or as the API calls them `otherwise`."""
    taken: dict[str, Any] = pascal({name: inputs[name] for name in names if name in inputs})
    return taken | {called: inputs[name] for name, called in otherwise.items() if name in inputs}


def pascal(value: Any) -> Any:
    """Capitalise every key, as EC2 and S3 spell them; `tags` become a list there."""
    return _respelt(value, lambda key: _SPELLINGS.get(key, key[:1].upper() + key[1:]), tag_list)


def camel(value: Any) -> Any:
    """Keep every key, as Image Builder spells them; tags stay a mapping there."""
    return _respelt(value, lambda key: key, dict)


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Spell tags as EC2 and IAM do."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def _respelt(value: Any, key_as: Callable[[str], str], tags_as: Callable[[Mapping[str, str]], Any]) -> Any:
    if isinstance(value, list):
        return [_respelt(inner, key_as, tags_as) for inner in value]
    if not isinstance(value, Mapping):
        return value
    respelt = {}
    for key, inner in value.items():
        if key.lower().endswith("tags") and isinstance(inner, Mapping):
            respelt[key_as(key)] = tags_as(inner)
        elif key in _BOOLEANS_AS_TEXT:
            respelt[key_as(key)] = str(inner).lower() == "true"
        else:
            respelt[key_as(key)] = _respelt(inner, key_as, tags_as)
    return respelt
