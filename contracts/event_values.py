"""The kinds of value an event file may hold, each with a sentence for whoever wrote something else."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

FAULT = "rampart"
"""Type of the errors raised here: their context holds `message` and `remedy`."""

_BROADEST_PREFIX = 8


def fault(message: str, remedy: str) -> PydanticCustomError:
    """Make the error of a wrong value: what is wrong, and what to write instead."""
    return PydanticCustomError(FAULT, "{message} ({remedy})", {"message": message, "remedy": remedy})


def matching(pattern: str, message: str, remedy: str) -> AfterValidator:
    """Accept a text that matches `pattern` as a whole."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise fault(message, remedy)
        return value

    return AfterValidator(check)


def _not_a_bool(value: object) -> object:
    if isinstance(value, bool):
        raise fault("must be a number, but is true or false", "write the number")
    return value


def _region(value: str) -> str:
    if re.fullmatch(r"[a-z]{2,3}(-[a-z]+){1,2}-\d{1,2}", value):
        return value
    if re.fullmatch(r"[a-z]{2,3}(-[a-z]+){1,2}-\d{1,2}[a-z]", value):
        raise fault("is an availability zone, not a region", f"leave its last letter out: {value[:-1]}")
    raise fault("is not the name of an AWS region", "write it like eu-west-3 or us-west-2")


def _network(value: object) -> object:
    """Read a range of addresses; read as text, since a bare number would pass for an address."""
    if isinstance(value, IPv4Network):
        return value
    try:
        network = ip_network(text := str(value).strip(), strict=False)
    except ValueError as error:
        raise fault("is not a range of IPv4 addresses", "write it like 203.0.113.0/24, or 203.0.113.7/32") from error
    if network.prefixlen == 0:
        raise _too_broad(network)
    if not isinstance(network, IPv4Network):
        raise fault("is an IPv6 range; hosts are reached over IPv4", "write an IPv4 range like 203.0.113.0/24")
    address = text.partition("/")[0]
    if str(network.network_address) != address:
        raise fault(
            "names one address, yet means a whole range",
            f"write {network} for the range, or {address}/32 for the one address",
        )
    return network


def _too_broad(network: IPv4Network | IPv6Network) -> PydanticCustomError:
    whom = "the whole world" if network.prefixlen == 0 else "a large part of the internet"
    return fault(f"would let {whom} in", "write your own network, like 203.0.113.0/24, or your one address with /32")


def _narrow(network: IPv4Network) -> IPv4Network:
    if network.prefixlen < _BROADEST_PREFIX:
        raise _too_broad(network)
    return network


def _vpc_size(network: IPv4Network) -> IPv4Network:
    if not 16 <= network.prefixlen <= 24:
        raise fault("does not fit a VPC with its subnets", "write a range between /16 and /24, like 10.20.0.0/16")
    return network


def _absolute(value: str) -> str:
    if not value.startswith("/"):
        raise fault("must be an absolute path on the image", "begin it with /, like /opt/rampart/env")
    if ".." in value.split("/") or value.strip("/") == "" or re.search(r"[\"'\\$`{}\x00-\x1f]", value):
        raise fault("is not a plain path", "write it without .. and without quotes, $, braces or backslashes")
    return value


def _kit_folder_there(value: str) -> str:
    if not value.startswith(("/", "~/")) or ".." in value.split("/"):
        raise fault("must be a path on the host that begins with / or ~/", "write it like ~/ramp-kits/iris")
    return value


def _git_address(value: str) -> str:
    # a user alone counts too: tokens are given in its place
    if re.match(r"https?://[^/]*@|ssh://[^/@]*:[^/@]*@", value):
        raise fault("holds a password or token, which everybody who reads the image's recipe would see", "leave it out")
    if re.match(r"(http|git)://", value):
        raise fault("is fetched over a connection anybody can change", "write https://")
    if re.match(r"ssh://|[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:", value):
        raise fault(
            "needs SSH, for which the machine that builds the image has neither key nor way out", "write https://"
        )
    if not re.fullmatch(r"(https|file)://\S+", value):
        raise fault("is not the address of a git repository", "write it like https://github.com/ramp-kits/iris")
    return value


def _command_line(value: str) -> str:
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise fault("is no command line: a quote is left open", "close it, or put a backslash before it") from error
    if not words:
        raise fault("holds no command", "write a program and its arguments")
    return value


def one_of(*choices: str) -> Callable[[object], object]:
    """Accept a text in any case that is one of `choices`; the remedy lists them."""

    def check(value: object) -> object:
        if isinstance(value, str) and value.lower() in choices:
            return value.lower()
        raise fault("is not one of the choices", "write one of: " + ", ".join(choices))

    return check


_WORD = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"

Name = Annotated[
    str,
    matching(_WORD, "is not a name", "write 1 to 64 letters, digits, - or _, the first a letter or digit: iris_2026"),
]
"""A name that is a folder's, a stack's and a tag's too."""

SubmissionName = Annotated[
    str,
    matching(
        r"[A-Za-z_][A-Za-z0-9_]{0,63}",
        "is not the name of a submission",
        "write letters, digits or _, the first no digit: starting_kit",
    ),
]
Text = Annotated[str, Field(min_length=1, max_length=2048)]
CommandLine = Annotated[Text, AfterValidator(_command_line)]
Region = Annotated[str, AfterValidator(_region)]
ImageId = Annotated[
    str, matching(r"ami-[0-9a-f]{8,17}", "is not the id of an AMI", "write it like ami-0abc1234def567890")
]
ImageName = Annotated[
    str,
    matching(
        r"[A-Za-z0-9()\[\] ./\-'@_]{3,100}",
        "is not the name of an AMI",
        "write 3 to 100 letters, digits, spaces or ()[]./-'@_",
    ),
]
ParentImage = Annotated[
    str,
    matching(
        r"ami-[0-9a-f]{8,17}|ssm:(arn:aws[a-z-]*:ssm:[a-z0-9-]+:\d*:parameter)?/?[A-Za-z0-9_./-]+"
        # a version of an ARN may have x from some place on, and only x after it
        r"|arn:aws[a-z-]*:imagebuilder:[a-z0-9-]+:(aws|aws-marketplace|\d{12}):image/[a-z0-9_-]+"
        r"/(x\.x\.x|\d+\.(x\.x|\d+\.(x|\d+(/\d+)?)))",
        "is not a parent image",
        "write an AMI's id, ssm:/ and the name of a parameter that holds one, or an Image Builder ARN",
    ),
]
InstanceType = Annotated[
    str, matching(r"[a-z][a-z0-9-]*\.[a-z0-9-]+", "is not an instance type", "write it like t3.medium")
]
LoginUser = Annotated[
    str, matching(r"[a-z_][a-z0-9_-]{0,31}", "is not a user name", "write the AMI's login user: ubuntu or ec2-user")
]
WorkerType = Annotated[
    str,
    matching(
        r"[A-Za-z][A-Za-z0-9_-]*|[A-Za-z_][\w.]*:[A-Za-z_]\w*",
        "is not a worker type",
        "write conda, aws, dask, or package.module:Class for a worker of your own",
    ),
]
GitAddress = Annotated[str, AfterValidator(_git_address)]
GitRef = Annotated[
    str,
    matching(r"[A-Za-z0-9_][A-Za-z0-9_./+-]*", "is not a git ref", "write a commit, a tag or a branch, like main"),
]
ImagePath = Annotated[str, AfterValidator(_absolute)]
RemoteKitFolder = Annotated[str, AfterValidator(_kit_folder_there)]
SchedulerAddress = Annotated[
    str,
    matching(
        r"(tcp|tls|ws|wss|ucx)://[^\s/:]+:\d{1,5}",
        "is not the address of a Dask scheduler",
        "write it like tls://10.0.0.5:8786",
    ),
]
Count = Annotated[int, BeforeValidator(_not_a_bool)]
Number = Annotated[float, BeforeValidator(_not_a_bool), Field(allow_inf_nan=False)]
VpcCidr = Annotated[IPv4Network, BeforeValidator(_network), AfterValidator(_vpc_size)]
AllowedCidr = Annotated[IPv4Network, BeforeValidator(_network), AfterValidator(_narrow)]
