"""Find what harms the machine that is being built, or the one that builds it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imagebuilder.documents.yaml_nodes import plain
from imagebuilder.lint import network
from imagebuilder.lint.calls import Call
from imagebuilder.lint.hits import Hit
from imagebuilder.lint.source import Source, entry

_AGENT = "amazon-ssm-agent"
_ENDS = frozenset(
    {"remove", "purge", "autoremove", "erase", "uninstall", "stop", "disable", "mask"}
    | {"-r", "-e", "-P", "--purge", "--remove", "--erase"}
)
_MANAGERS = frozenset({"apt", "apt-get", "snap", "dpkg", "yum", "dnf", "rpm", "systemctl", "service", "initctl"})
_ALWAYS_END = frozenset({"rm", "kill", "pkill", "killall", "stop"})
_LOGIN_USERS = r"ubuntu|ec2-user|admin|debian|fedora|rocky|centos|almalinux|bitnami|cloud-user"
_HOME = re.compile(rf"/home/({_LOGIN_USERS})\b")
_OWNER = re.compile(rf"({_LOGIN_USERS})?:?({_LOGIN_USERS})?")
_DRIVER = re.compile(r"\b(nvidia-(?:headless|driver|utils|compute-utils|dkms|kernel-source)(?:-no-dkms)?)-(\d{3})\b")
_OLDEST_DRIVER = 535
"""NVIDIA ended the branches before it; Ubuntu's LTS releases no longer get them mended."""
_GO_DOWN = frozenset({"reboot", "shutdown", "poweroff", "halt"})
_GO_DOWN_WHEN_TOLD = {"systemctl": {"reboot", "kexec", "poweroff", "halt"}, "init": {"0", "6"}, "telinit": {"0", "6"}}
_ASKING = frozenset({"install", "upgrade", "dist-upgrade", "full-upgrade", "remove", "purge", "autoremove"})
_REBOOT_CODE = "194"


def reboot_without_194(source: Source) -> Iterator[Hit]:
    """Reboots that Image Builder takes for a lost instance."""
    remedy = "use the action Reboot, or end the script with exit 194: Image Builder reboots and runs the step again"
    for _, calls in _scripts(source):
        if any(call.program == "exit" and _REBOOT_CODE in call.args for call in calls):
            continue
        for call in calls:
            if call.program in _GO_DOWN or _GO_DOWN_WHEN_TOLD.get(call.program, set()) & set(call.args):
                yield Hit(call.line, f"{call.program} takes the machine away from the step that runs", remedy)


def endless_reboot(source: Source) -> Iterator[Hit]:
    """Scripts that ask for a reboot each time they run."""
    for _, calls in _scripts(source):
        # a run that finds its work done may end well before
        ends = [call for call in calls if call.program == "exit" and (call.is_always or call.args in ((), ("0",)))]
        if ends and ends[0].is_always and ends[0].args[:1] == (_REBOOT_CODE,):
            remedy = "leave a mark in a file and end with exit 0 where it is there"
            yield Hit(ends[0].line, "exit 194 reboots and runs this step again, for ever", remedy)


def open_permissions(source: Source) -> Iterator[Hit]:
    """Files that everybody on the machine may write, submissions too."""
    remedy = "name the owner, and 755 or 644"
    for step in source.steps:
        for one in step.entries:
            mode = entry(one, "permissions")
            if mode and _is_open(str(plain(mode.node))):
                yield Hit(mode.line, f"permissions {plain(mode.node)}: everybody may write there", remedy)
        for call in step.script.calls if step.script else ():
            modes = [mode for mode in _modes(call) if _is_open(mode)]
            if modes:
                yield Hit(call.line, f"{call.program} with {modes[0]}: everybody may write there", remedy)


def removes_agent(source: Source) -> Iterator[Hit]:
    """Components that end the agent by which Image Builder runs them."""
    for _, calls in _scripts(source):
        for call in calls:
            ends = call.program in _ALWAYS_END or (call.program in _MANAGERS and _ENDS & set(call.args))
            if ends and any(_AGENT in arg for arg in call.args):
                remedy = "leave that to the recipe: uninstallAfterBuild takes it away when all components have run"
                yield Hit(call.line, "this ends the agent that runs the component", remedy)


def fixed_user(source: Source) -> Iterator[Hit]:
    """A login user that another parent image does not have."""
    remedy = "take it from a parameter: '{{ Home }}', '{{ User }}'"
    seen: set[int] = set()
    for one in source.variables:
        found = _HOME.search(one.value or "")
        if found and not one.is_parameter:
            seen.add(one.value_line)
            yield Hit(one.value_line, f"{found[0]} is the home on some parent images only", remedy)
    for step in source.steps:
        for text in step.texts:
            for found in _HOME.finditer(text.value):
                line = text.line_at(found.start())
                if line not in seen:
                    seen.add(line)
                    yield Hit(line, f"{found[0]} is the home on some parent images only", remedy)
        for call in step.script.calls if step.script else ():
            name = _fixed_user(call)
            if name and call.line not in seen:
                seen.add(call.line)
                yield Hit(call.line, f"{name} is the login user of some parent images only", remedy)


def old_driver(source: Source) -> Iterator[Hit]:
    """NVIDIA drivers that are no longer mended."""
    seen: set[tuple[int, str]] = set()
    for step in source.steps:
        for text in step.texts:
            for found in _DRIVER.finditer(text.value):
                line = text.line_at(found.start())
                if int(found[2]) < _OLDEST_DRIVER and (line, found[2]) not in seen:
                    seen.add((line, found[2]))
                    message = f"NVIDIA's driver {found[2]} is no longer mended, nor there for today's parent images"
                    yield Hit(line, message, f"take a branch from {_OLDEST_DRIVER} on")


def conda_init(source: Source) -> Iterator[Hit]:
    """Changes to start files, which no script and no run reads."""
    for _, calls in _scripts(source):
        for call in calls:
            if call.program in network.CONDAS and network.verb(call) == "init":
                remedy = 'call programs by their path: "$environment/bin/python"'
                yield Hit(call.line, f"{call.program} init edits start files that only a login shell reads", remedy)


def apt_asks(source: Source) -> Iterator[Hit]:
    """apt that may wait for an answer."""
    for step in source.steps:
        if step.script is None:
            continue
        is_silent = "DEBIAN_FRONTEND" in step.script.assigned
        for call in step.script.calls:
            verb = network.verb(call)
            if call.program not in ("apt", "apt-get") or verb not in _ASKING:
                continue
            missing = []
            if not call.has_option("-y", "--yes", "--assume-yes", "--dry-run", "-s", "--simulate"):
                missing.append("-y")
            if not is_silent and "DEBIAN_FRONTEND" not in call.environment:
                missing.append("DEBIAN_FRONTEND=noninteractive")
            if missing:
                yield Hit(call.line, f"{call.program} {verb} may ask questions", f"add {' and '.join(missing)}")


def _scripts(source: Source) -> Iterator[tuple[str, tuple[Call, ...]]]:
    for step in source.steps:
        if step.script is not None:
            yield step.name, step.script.calls


def _is_open(mode: str) -> bool:
    """Whether a mode lets everybody write; the sticky bit of a folder like /tmp makes that harmless."""
    if re.fullmatch(r"0?[0-7]{3,4}", mode):
        digits = mode[-4:] if len(mode) > 4 else mode.rjust(4, "0")
        return bool(int(digits[-1]) & 2) and not int(digits[0]) & 1
    return bool(re.search(r"(^|,)[ug]*[oa][ugoa]*[+=][rxXst]*w", mode))


def _modes(call: Call) -> tuple[str, ...]:
    """Give the modes that a call sets; the operands of chmod are its files too, which are no modes."""
    if call.program == "chmod":
        return call.operands[:1]
    if call.program in ("mkdir", "install"):
        behind = tuple(call.args[n + 1] for n, arg in enumerate(call.args[:-1]) if arg in ("-m", "--mode"))
        return (*behind, *(arg.removeprefix("--mode=").removeprefix("-m") for arg in call.options))
    return ()


def _fixed_user(call: Call) -> str:
    """Give the login user that a call names for who runs or owns something."""
    if call.user and re.fullmatch(_LOGIN_USERS, call.user) and call.is_top:
        return call.user
    if call.program in ("chown", "chgrp"):
        owner = next(iter(call.operands), "")
        found = _OWNER.fullmatch(owner)
        return (found[1] or found[2] or "") if found else ""
    return ""
