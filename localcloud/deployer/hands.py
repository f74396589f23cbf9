"""Do to the cloud what a deployment decides on, or foresee it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from contracts.errors import AskedWrongly, CloudError
from localcloud.deployer import table
from localcloud.deployer.connection import Connection
from localcloud.deployer.handler import Created, Made, Wanted
from localcloud.deployer.ledger import Entry
from localcloud.deployer.wire import Properties

_AGAIN = "what was made so far is remembered: up goes on from there, destroy removes it"


@dataclass(frozen=True, slots=True)
class Declaration:
    """A resource as the program declares it."""

    urn: str
    type: str
    name: str
    region: str
    properties: Properties
    dependencies: tuple[str, ...]
    retained: bool
    replace_first: bool
    ignored: frozenset[str]


class Hands:
    """Makes, looks for and deletes resources by their types' handlers. Every method may raise CloudError."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, declared: Declaration) -> Created:
        """Make a resource; its outputs hold the name that the provider gave it."""
        handler = table.handler_of(declared.type)
        inputs = handler.named(declared.name, declared.properties.values)
        wanted = Wanted(declared.name, declared.region, inputs, self._connection)
        with _refusals(f"create {declared.type} {declared.name}"):
            created = handler.create(wanted)
        given = {handler.name_input: inputs[handler.name_input]} if handler.name_input else {}
        return Created(created.id, {**given, **created.outputs})

    def exists(self, entry: Entry) -> bool:
        """Tell whether a resource is still there."""
        with _refusals(f"look for {entry.type} {entry.name}"):
            return table.handler_of(entry.type).exists(self._made(entry))

    def remove(self, entry: Entry) -> None:
        """Delete a resource; one already gone is fine."""
        with _refusals(f"delete {entry.type} {entry.name}"):
            table.handler_of(entry.type).remove(self._made(entry))

    def _made(self, entry: Entry) -> Made:
        return Made(entry.id, entry.region, entry.inputs, entry.outputs, self._connection)


class Foresight(Hands):
    """Looks for resources, and neither makes nor deletes one.

    What would be made has no id: whatever is built from it is unknown to the program, as in a preview of Pulumi's own.
    """

    def create(self, declared: Declaration) -> Created:  # noqa: ARG002 (another's form)
        return Created("", {})

    def remove(self, entry: Entry) -> None:
        """Leave it."""


@contextmanager
def _refusals(doing: str) -> Iterator[None]:
    """Turn botocore's errors into CloudError: `doing` completes the sentence "could not ..."."""
    try:
        yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        code = answer.get("Code", "")
        raise CloudError(
            f"could not {doing}: {answer.get('Message', error)} [{code}]", code=code, hint=_AGAIN
        ) from error
    except BotoCoreError as error:
        raise CloudError(f"could not {doing}: {error}", code=type(error).__name__, hint=_AGAIN) from error
    except KeyError as error:
        raise AskedWrongly(f"could not {doing}: the local deployer needs the property {error}") from error
