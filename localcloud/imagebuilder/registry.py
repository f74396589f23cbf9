"""Keep what was created in the Image Builder emulator, in memory."""

from __future__ import annotations

import base64
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from localcloud.imagebuilder import arns
from localcloud.imagebuilder.refusals import Refusal, invalid, missing

Record = dict[str, Any]
"""A resource in the model's own member names; what the model does not know is not shown."""

_PAGE = 25


class Registry:
    """Every resource by ARN, in order of creation. `lock` guards each read and write of a record."""

    def __init__(self, region: str) -> None:
        self.region = region
        self.lock = threading.RLock()
        self.workflows: dict[str, Record] = {}
        """Workflow executions by id, each with its `steps`."""
        self._records: dict[str, Record] = {}
        self._builds: dict[str, int] = {}
        self._answers: dict[tuple[str, str], tuple[Record, Record]] = {}

    def arn(self, kind: str, name: str, version: str | None = None, build: int | None = None) -> str:
        """The ARN a resource of ours has."""
        return str(arns.Arn(self.region, arns.ACCOUNT, kind, arns.slug(name), version, build))

    def add(self, record: Record) -> None:
        """Keep a new resource; raises Refusal when its ARN is taken."""
        with self.lock:
            arn = record["arn"]
            if arn in self._records:
                kind = arns.read(arn).kind
                raise Refusal(
                    "ResourceAlreadyExistsException", f"The following resource '{kind}' already exists: '{arn}'."
                )
            self._records[arn] = record

    def get(self, arn: str) -> Record:
        """The resource of exactly that ARN."""
        with self.lock:
            try:
                return self._records[arn]
            except KeyError:
                raise missing(arn) from None

    def create(self, record: Record, arguments: Mapping[str, Any]) -> None:
        """Keep a new resource, unless the request was a dry run."""
        if arguments.get("dryRun"):
            raise Refusal("DryRunOperationException", "The dry run operation of the resource was successful.")
        self.add(record)

    def resolve(self, reference: str, among: list[Record] | None = None) -> Record:
        """The newest resource an ARN means, whose version may hold wildcards or lack the build number."""
        wanted = arns.read(reference)
        with self.lock:
            if among is None and reference in self._records:
                return self._records[reference]
            found = [
                record
                for record in (self.of_kind(wanted.kind) if among is None else among)
                if wanted.version is not None and wanted.build is None and _means(wanted, arns.read(record["arn"]))
            ]
            if not found:
                raise missing(reference)
            return max(found, key=_newness)

    def remove(self, arn: str) -> Record:
        """Forget a resource."""
        with self.lock:
            record = self.get(arn)
            del self._records[arn]
            return record

    def of_kind(self, kind: str) -> list[Record]:
        """All resources of a kind, oldest first."""
        with self.lock:
            return [record for arn, record in self._records.items() if arns.read(arn).kind == kind]

    def next_build(self, version_arn: str) -> int:
        """The next build number of an image version; a number is never given twice."""
        with self.lock:
            self._builds[version_arn] = self._builds.get(version_arn, 0) + 1
            return self._builds[version_arn]

    def once(self, operation: str, arguments: Mapping[str, Any], make: Callable[[], Record]) -> Record:
        """Answer a repeated client token with its first answer; the same token for something else is refused."""
        token = arguments.get("clientToken")
        if token is None:
            return make()
        with self.lock:
            if (operation, token) in self._answers:
                before, answer = self._answers[operation, token]
                if before != arguments:
                    raise Refusal(
                        "IdempotentParameterMismatchException",
                        f"The client token '{token}' was used before with other parameters.",
                    )
                return answer
            answer = {**make(), "clientToken": token}
            self._answers[operation, token] = (dict(arguments), answer)
            return answer


def now() -> str:
    """This moment as Image Builder writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id(prefix: str) -> str:
    """A fresh id such as `wf-...`."""
    return f"{prefix}-{uuid.uuid4()}"


def chosen(records: Iterable[Record], filters: Iterable[Mapping[str, Any]] = ()) -> list[Record]:
    """The records that pass every filter; a filter passes one whose member of that name has one of the values."""
    rest = list(records)
    for wanted in filters:
        name, values = wanted.get("name"), wanted.get("values", [])
        if name not in _FILTERS:
            raise invalid(f"The filter '{name}' is not one of {', '.join(sorted(_FILTERS))}.")
        rest = [record for record in rest if str(record.get(name, "")) in values]
    return rest


def page(member: str, records: list[Record], arguments: Mapping[str, Any]) -> Record:
    """One page of a listing with the token of the next."""
    start = _offset(arguments.get("nextToken"))
    end = start + int(arguments.get("maxResults", _PAGE))
    answer: Record = {member: records[start:end]}
    if end < len(records):
        answer["nextToken"] = base64.urlsafe_b64encode(f"from {end}".encode()).decode()
    return answer


_FILTERS = frozenset({"arn", "name", "version", "platform", "type", "owner", "description", "parentImage"})


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        word, number = base64.urlsafe_b64decode(token).decode().split(" ")
        if word == "from":
            return int(number)
    except ValueError:
        pass
    raise Refusal("InvalidPaginationTokenException", "The pagination token is not valid.")


def _means(wanted: arns.Arn, held: arns.Arn) -> bool:
    return (
        (wanted.name, wanted.owner) == (held.name, held.owner)
        and wanted.version is not None
        and held.version is not None
        and arns.matches(wanted.version, held.version)
    )


def _newness(record: Record) -> tuple[tuple[int, ...], int]:
    arn = arns.read(record["arn"])
    return arns.order(arn.version or "0.0.0"), arn.build or 0
