"""Run a Pulumi program on the official mocks and keep what it registers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pulumi
from google.protobuf import empty_pb2
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime.config import set_all_config
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import run_in_stack

ZONES = ["eu-west-3c", "eu-west-3a", "eu-west-3b"]


@dataclass(frozen=True)
class Registration:
    """One resource as the engine would see it; inputs by their wire names, secrets still wrapped.

    `dependencies` are URNs, those of values it was given included.
    """

    type: str
    name: str
    inputs: dict[str, Any]
    parent: str
    provider: str
    retained: bool
    dependencies: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    replaced_on: tuple[str, ...] = ()
    deleted_before_replaced: bool = False
    protected: bool = False

    def depends_on(self, name: str) -> bool:
        """Whether it waits for the resource of that name."""
        return any(urn.endswith(f"::{name}") for urn in self.dependencies)


@dataclass(frozen=True)
class Lookup:
    """One question the program asked of AWS."""

    token: str
    inputs: dict[str, Any]


@dataclass
class Recording:
    """Every registration and every lookup, in order, with the stack's outputs."""

    registrations: list[Registration] = field(default_factory=list)
    lookups: list[Lookup] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)

    def of(self, kind: str) -> list[Registration]:
        """The registrations whose type ends so, such as `:Subnet`, by name."""
        return sorted((each for each in self.registrations if each.type.endswith(kind)), key=lambda each: each.name)

    def only(self, kind: str) -> Registration:
        (registration,) = self.of(kind)
        return registration

    def named(self, name: str) -> Registration:
        """The one resource of that name, components and provider aside."""
        (registration,) = [each for each in self.resources() if each.name == name]
        return registration

    def resources(self) -> list[Registration]:
        """What AWS would be asked for: no components, no provider."""
        return [each for each in self.registrations if each.type.startswith("aws:")]


ANSWERS: dict[str, dict[str, Any]] = {
    "aws:index/getAvailabilityZones:getAvailabilityZones": {"names": ZONES},
    "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": "111122223333"},
    "aws:ec2/getVpc:getVpc": {"id": "vpc-default", "cidrBlock": "172.31.0.0/16"},
    "aws:ec2/getSubnets:getSubnets": {"ids": ["subnet-default-b", "subnet-default-a"]},
    "aws:ec2/getSubnet:getSubnet": {"id": "subnet-default-a", "vpcId": "vpc-default"},
    "aws:ec2/getRouteTable:getRouteTable": {"id": "rtb-default"},
    "aws:ec2/getAmiIds:getAmiIds": {"ids": []},
    "aws:ssm/getParameter:getParameter": {
        "value": "ami-0123456789abcdef0",
        "insecureValue": "ami-0123456789abcdef0",
    },
}
"""Looked-up values that look like AWS's, by the token of the question."""

_MADE: dict[str, dict[str, Any]] = {
    "aws:ec2/eip:Eip": {"publicIp": "203.0.113.77"},
    "aws:ec2/instance:Instance": {"privateIp": "10.20.0.10", "publicIp": "203.0.113.77"},
    "aws:ec2/launchTemplate:LaunchTemplate": {"latestVersion": 1},
    "aws:sqs/queue:Queue": {"url": "https://sqs.eu-west-3.amazonaws.com/111122223333/queue"},
}
"""What AWS makes up for a resource, by its type."""


class _Answers(mocks.Mocks):
    """Ids and looked-up values."""

    def __init__(self, answers: Mapping[str, Mapping[str, Any]]) -> None:
        self._answers = {**ANSWERS, **answers}

    def call(self, args: mocks.MockCallArgs) -> Any:
        return self._answers[args.token]

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        arn = f"arn:aws:test:::{args.name}"
        told = {"arn": arn, "name": args.name, "keyName": args.name, **_MADE.get(args.typ, {})}
        return f"id-{args.name}", {**told, **args.inputs}


class _Recorder(mocks.MockMonitor):
    def __init__(self, answers: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__(_Answers(answers))
        self.recording = Recording()

    def GetDeploymentInfo(self, request: Any) -> Any:  # noqa: N802
        return resource_pb2.DeploymentInfo(supportedFeatures=[resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS])

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == "pulumi:pulumi:Stack":
            return resource_pb2.RegisterResourceResponse(urn=urn)
        inputs = rpc.deserialize_properties(request.object)
        self.recording.registrations.append(
            Registration(
                request.type,
                request.name,
                inputs,
                request.parent,
                request.provider,
                request.retainOnDelete,
                dependencies=tuple(sorted(request.dependencies)),
                ignored=tuple(request.ignoreChanges),
                replaced_on=tuple(request.replaceOnChanges),
                deleted_before_replaced=request.deleteBeforeReplace,
                protected=request.protect,
            )
        )
        identity, state = self.mocks.new_resource(mocks.MockResourceArgs(request.type, request.name, inputs))
        answer = resource_pb2.RegisterResourceResponse(urn=urn, id=identity or "")
        answer.object.update(state)
        return answer

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        inputs = rpc.deserialize_properties(request.args)
        self.recording.lookups.append(Lookup(request.tok, inputs))
        answer = resource_pb2.ResourceInvokeResponse()
        getattr(answer, "return").update(self.mocks.call(mocks.MockCallArgs(request.tok, inputs, request.provider)))
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        if "pulumi:pulumi:Stack::" in request.urn and "$" not in request.urn:
            self.recording.outputs = rpc.deserialize_properties(request.outputs)
        return empty_pb2.Empty()


def record(
    program: Callable[[], Mapping[str, Any] | None],
    *,
    stack: str = "iris",
    answers: Mapping[str, Mapping[str, Any]] | None = None,
    config: Mapping[str, str] | None = None,
) -> Recording:
    """Run the program as the stack `stack`; raises what it raises.

    `answers` are to lookups, by token; `config` is the stack's, all of it secret.
    """
    recorder = _Recorder(answers or {})
    raised: list[BaseException] = []

    async def run() -> None:
        # a program that fails leaves futures behind that nobody awaits: their complaints would come at any later moment
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        settings.configure(settings.Settings(project="rampart", stack=stack))
        set_all_config(dict(config or {}), list(config or {}))
        settings.set_root_resource(cast(pulumi.Resource, recorder))
        mocks.set_mocks(recorder.mocks, project="rampart", stack=stack, preview=False, monitor=recorder)
        settings.set_root_resource(cast(pulumi.Resource, None))

        def declare() -> None:
            for name, value in (program() or {}).items():
                pulumi.export(name, value)

        await run_in_stack(declare)

    def body() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            raised.append(error)

    # a thread starts with an empty context, so nothing of Pulumi's settings outlives the program
    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
    return recorder.recording
