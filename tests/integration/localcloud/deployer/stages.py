"""Deploy a program twice, ask the cloud what there is, take all of it away."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.deployer import Deployer, Deployment, table
from localcloud.deployer.connection import Connection
from localcloud.deployer.handler import Handler, Made

Program = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class Stage:
    """A stack with a name that no other test has."""

    name: str
    path: Path
    deployer: Deployer
    connection: Connection

    def client(self, service: str) -> Any:
        return self.connection.client(service, self.connection.default_region)

    def up(self, program: Program) -> Deployment:
        return self.deployer.up(program, project="rampart", stack=self.name)

    def up_twice(self, program: Program) -> dict[str, Any]:
        """Deploy; the second time nothing changes, and everything that was made is found. Gives the outputs."""
        first, second = self.up(program), self.up(program)
        assert second.changed_nothing
        assert set(second.unchanged) == set(first.created)
        assert second.outputs == first.outputs
        assert [made.id for handler, made in self.made() if not handler.exists(made)] == []
        return dict(first.outputs)

    def leaves_nothing(self) -> None:
        """Destroy; nothing of what was made is found any more."""
        made = self.made()
        self.deployer.destroy()
        assert [each.id for handler, each in made if handler.exists(each)] == []
        assert self.deployer.destroy().changed_nothing

    def made(self) -> list[tuple[Handler, Made]]:
        """Everything in the stack's state that `destroy` deletes, with the handler that made it."""
        return [
            (
                table.HANDLERS[entry["type"]],
                Made(entry["id"], entry["region"], entry["inputs"], entry["outputs"], self.connection),
            )
            for entry in json.loads(self.path.read_text())["resources"]
            if not entry["retained"]
        ]
