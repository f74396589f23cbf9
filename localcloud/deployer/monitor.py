"""Stand where Pulumi's engine stands, for a program that runs in this process."""

from __future__ import annotations

from typing import Any

from google.protobuf import empty_pb2
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.proto import resource_pb2

from contracts.errors import RampartError
from localcloud.deployer import table, wire
from localcloud.deployer.connection import Connection
from localcloud.deployer.hands import Declaration
from localcloud.deployer.lookups import Asked
from localcloud.deployer.reconciler import Reconciler, Stopped
from localcloud.deployer.wire import Properties

STACK = "pulumi:pulumi:Stack"
_PROVIDER = "pulumi:providers:"


class Monitor(MockMonitor):
    """Answers registrations by what the reconciler makes, function calls by asking the local cloud.

    Called from the worker threads of the program's event loop. The first error ends the deployment: it is kept in
    `failure`, and nothing more is begun.
    """

    def __init__(self, reconciler: Reconciler, connection: Connection) -> None:
        super().__init__(_NoMocks())
        self.outputs = Properties({})
        self.failure: BaseException | None = None
        self._reconciler = reconciler
        self._connection = connection
        self._regions: dict[str, str] = {}
        self._stack_urn = ""

    def GetDeploymentInfo(self, request: Any) -> Any:  # noqa: N802, ARG002 (the name is the protocol's)
        """Offer secrets only: resources then arrive as their ids, outputs as their values."""
        features = [resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS]
        return resource_pb2.DeploymentInfo(supportedFeatures=features)

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        urn = self.make_urn(request.parent, request.type, request.name)
        try:
            return self._register(urn, request)
        except Stopped:
            raise
        except BaseException as error:
            self._fail(error)
            raise

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        if request.urn == self._stack_urn:
            self.outputs = wire.read(request.outputs)
        return empty_pb2.Empty()

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        try:
            asked = Asked(self._region(request.provider), wire.read(request.args).values, self._connection)
            answer = table.lookup_of(request.tok)(asked)
        except BaseException as error:
            self._fail(error)
            raise
        return resource_pb2.ResourceInvokeResponse(**{"return": wire.write(answer)})

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        error = RampartError(
            f"the local deployer cannot read the existing {request.type} {request.id}",
            hint="look it up with a function instead of .get()",
        )
        self._fail(error)
        raise error

    def _register(self, urn: str, request: Any) -> Any:
        self._reconciler.declare_once(urn)
        if request.type == STACK:
            self._stack_urn = urn
            return resource_pb2.RegisterResourceResponse(urn=urn)
        properties = wire.read(request.object)
        if request.type.startswith(_PROVIDER):
            self._regions[f"{urn}::{request.name}"] = properties.values.get("region", self._connection.default_region)
            return _answer(urn, request.name, properties)
        if not request.custom:
            return resource_pb2.RegisterResourceResponse(urn=urn, object=wire.write(properties))
        identity, settled = self._reconciler.settle(self._declaration(urn, request, properties))
        return _answer(urn, identity, settled)

    def _declaration(self, urn: str, request: Any, properties: Properties) -> Declaration:
        return Declaration(
            urn=urn,
            type=request.type,
            name=request.name,
            region=self._region(request.provider),
            properties=properties,
            dependencies=tuple(sorted({*request.dependencies, request.parent})),
            retained=request.retainOnDelete,
            replace_first=request.deleteBeforeReplace,
            ignored=frozenset(request.ignoreChanges),
        )

    def _region(self, provider: str) -> str:
        return self._regions.get(provider, self._connection.default_region)

    def _fail(self, error: BaseException) -> None:
        self.failure = self.failure or error
        self._reconciler.stop()


def _answer(urn: str, identity: str, properties: Properties) -> Any:
    return resource_pb2.RegisterResourceResponse(urn=urn, id=identity, object=wire.write(properties))


class _NoMocks(Mocks):
    """What the parent class wants; every call that would reach it is answered above."""

    def call(self, args: MockCallArgs) -> Any:
        raise NotImplementedError(args.token)

    def new_resource(self, args: MockResourceArgs) -> Any:
        raise NotImplementedError(args.typ)
