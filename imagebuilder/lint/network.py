"""Tell what a call fetches, and from where."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from imagebuilder.lint.calls import Call

FETCHERS = frozenset({"curl", "wget"})
CONDAS = frozenset({"conda", "mamba", "micromamba"})
_ADDRESS = re.compile(r"(https?|ftp|file)://\S+", re.I)
_NEAR = re.compile(r"localhost|127\.[\d.]+|::1|0\.0\.0\.0|169\.254\.[\d.]+|fd00:ec2::254", re.I)
"""Loopback, and the instance's own metadata, clock and credentials."""

_INSTALLERS = {
    "apt": {"install", "update", "upgrade", "full-upgrade", "dist-upgrade", "download", "source", "build-dep"},
    "dnf": {"install", "update", "upgrade", "makecache"},
    "snap": {"install", "refresh", "download"},
    "pip": {"install", "download", "wheel", "index"},
    "uv": {"sync", "tool", "add", "lock", "python"},
    "pipx": {"install", "upgrade", "run"},
    "conda": {"install", "create", "update", "upgrade", "search", "env"},
    "git": {"clone", "fetch", "pull", "ls-remote", "submodule"},
    "npm": {"install", "ci", "update"},
}
_SAME = {
    "apt-get": "apt", "aptitude": "apt", "yum": "dnf", "microdnf": "dnf", "mamba": "conda", "micromamba": "conda",
}  # fmt: skip
_ALWAYS = frozenset({"ping", "rsync", "scp", "telnet", "nslookup", "dig", "ntpdate", "add-apt-repository"})


def addresses(call: Call) -> list[str]:
    """Give the addresses among a call's arguments."""
    return [found[0] for arg in call.args if (found := _ADDRESS.match(arg))]


def is_near(address: str) -> bool:
    """Tell whether an address is of the machine itself: loopback or the instance's metadata."""
    if address.lower().startswith("file:"):
        return True
    try:
        return bool(_NEAR.fullmatch(urlsplit(address).hostname or ""))
    except ValueError:
        return False


def fetches_from_afar(call: Call) -> bool:
    """Tell whether curl or wget asks another machine; an address that cannot be made out counts as one."""
    if call.program not in FETCHERS or call.has_option("--version", "-V", "--help"):
        return False
    found = addresses(call)
    return not found or not all(is_near(address) for address in found)


def verb(call: Call) -> str:
    """Give what a program such as `git` or `apt-get` is told to do: its first argument that is no option's."""
    skip = False
    for arg in call.args:
        if skip:
            skip = False
        elif arg in ("-o", "-c", "-C", "--git-dir", "--work-tree"):
            skip = True
        elif not arg.startswith("-"):
            return arg
    return ""


def needs_a_network(call: Call) -> bool:
    """Tell whether a call cannot work without other machines."""
    if fetches_from_afar(call) or call.program in _ALWAYS:
        return True
    if call.program == "aws":
        return bool(verb(call)) and verb(call) not in ("configure", "help")
    kind = _SAME.get(call.program, call.program)
    if kind == "conda" and verb(call) == "env":
        return bool({"create", "update"} & set(call.args))
    is_local = call.has_option("--no-index", "--offline", "--no-download", "--dry-run", "--simulate")
    return verb(call) in _INSTALLERS.get(kind, ()) and not is_local


def packages(call: Call, behind: str, with_value: Sequence[str]) -> list[str]:
    """Give the operands of an installer behind its verb, without the values of the options in `with_value`."""
    args = list(call.args[call.args.index(behind) + 1 :]) if behind in call.args else []
    found = []
    while args:
        arg = args.pop(0)
        if arg.startswith("-"):
            if arg in with_value and args:
                args.pop(0)
        else:
            found.append(arg)
    return found
