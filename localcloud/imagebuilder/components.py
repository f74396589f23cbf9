"""Keep components by the service's rules."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localcloud.imagebuilder import arns, document
from localcloud.imagebuilder.clients import Clients
from localcloud.imagebuilder.refusals import Refusal, invalid
from localcloud.imagebuilder.registry import Record, Registry, chosen, now, page


class Components:
    """The operations on components."""

    def __init__(self, registry: Registry, clients: Clients) -> None:
        self._registry = registry
        self._clients = clients

    def create(self, arguments: Record) -> Record:
        """CreateComponent: a document AWSTOE would refuse is refused here."""
        version = arguments["semanticVersion"]
        arns.check_version(version)
        data = self._data(arguments)
        read = parse(data)
        record = {
            **arguments,
            "arn": self._registry.arn("component", arguments["name"], version, 1),
            "version": version,
            "data": data,
            "type": "TEST" if {phase.name for phase in read.phases} == {"test"} else "BUILD",
            "owner": arns.ACCOUNT,
            "encrypted": True,
            "state": {"status": "ACTIVE"},
            "status": "ACTIVE",
            "dateCreated": now(),
            "tags": dict(arguments.get("tags", {})),
            "parameters": [_shown(parameter) for parameter in read.parameters],
        }
        self._registry.create(record, arguments)
        return {"componentBuildVersionArn": record["arn"]}

    def get(self, arguments: Record) -> Record:
        """GetComponent, by an ARN that may hold wildcards."""
        return {"component": self._registry.resolve(arguments["componentBuildVersionArn"])}

    def list(self, arguments: Record) -> Record:
        """ListComponents: one entry per version."""
        own = arguments.get("owner", "Self") == "Self"
        records = chosen(self._registry.of_kind("component") if own else [], arguments.get("filters", ()))
        versions = [{**record, "arn": version_arn(record)} for record in records]
        return page("componentVersionList", versions, arguments)

    def list_build_versions(self, arguments: Record) -> Record:
        """ListComponentBuildVersions, of one version or of all components."""
        wanted = arguments.get("componentVersionArn")
        records = [record for record in self._registry.of_kind("component") if wanted in (None, version_arn(record))]
        return page("componentSummaryList", records, arguments)

    def delete(self, arguments: Record) -> Record:
        """DeleteComponent, unless a recipe uses it."""
        arn = arguments["componentBuildVersionArn"]
        with self._registry.lock:
            self._registry.get(arn)
            for recipe in self._registry.of_kind("image-recipe"):
                for component in recipe["components"]:
                    if self._registry.resolve(component["componentArn"])["arn"] == arn:
                        raise in_use(arn, recipe["arn"])
            self._registry.remove(arn)
        return {"componentBuildVersionArn": arn}

    def _data(self, arguments: Record) -> str:
        if ("data" in arguments) == ("uri" in arguments):
            raise Refusal(
                "InvalidParameterCombinationException", "Exactly one of the parameters 'data' and 'uri' is needed."
            )
        if "data" in arguments:
            return str(arguments["data"])
        bucket, _, key = str(arguments["uri"]).removeprefix("s3://").partition("/")
        try:
            content: Any = self._clients.of("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
            return bytes(content).decode()
        except (BotoCoreError, ClientError, UnicodeDecodeError) as error:
            raise invalid(f"The value supplied for parameter 'uri' is not valid: {error}") from error


def parse(data: str) -> document.Document:
    """Read a component's document; raises Refusal."""
    try:
        return document.parse(data)
    except document.DocumentRefused as error:
        raise invalid(f"The value supplied for parameter 'data' is not valid: {error}") from error


def version_arn(record: Record) -> str:
    """A resource's ARN without its build number."""
    return str(record["arn"]).rsplit("/", 1)[0]


def in_use(arn: str, user: str) -> Refusal:
    """The refusal to delete what something else needs."""
    return Refusal("ResourceDependencyException", f"The resource '{arn}' cannot be deleted: '{user}' depends on it.")


def _shown(parameter: document.Parameter) -> Record:
    shown: Record = {"name": parameter.name, "type": "string", "description": parameter.description}
    if parameter.default is not None:
        shown["defaultValue"] = [parameter.default]
    return shown
