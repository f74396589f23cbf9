"""No file of this repository runs what it reads, or trusts a host whose key nobody told it."""

from __future__ import annotations

import ast
import os
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("contracts", "clients", "imagebuilder", "infra", "runner", "localcloud", "tasks")
UNREAD = frozenset({"__pycache__", "dist", "build", "node_modules"})

FORBIDDEN_MODULES = frozenset({"marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle", "telnetlib"})
FORBIDDEN_CALLS = frozenset(
    {
        *("eval", "exec", "compile", "__import__"),
        *("yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load"),
        *("pickle.load", "pickle.loads", "pickle.Unpickler"),
        *("shutil.unpack_archive", "os.system", "os.popen"),
    }
)
FORBIDDEN_METHODS = frozenset({"extractall", "extract", "set_missing_host_key_policy", "read_pickle"})

ALLOWED_CALLS = {
    (
        "runner/job/run_blind.py",
        "pickle.load",
    ): "runs on the host and reads what this machine packed, never the reverse",
    ("clients/ssh_pinned.py", "set_missing_host_key_policy"): "sets paramiko.RejectPolicy, see below",
}


SUSPECT = re.compile(  # a file without any of these words cannot hold what is looked for
    r"marshal|shelve|dill|pickle|joblib|telnetlib|(?<![.\w])(?:eval|exec|compile|__import__)\b|yaml|load\("
    r"|unpack_archive|system|popen|extract|missing_host_key|shell|echo"
)


@cache
def sources() -> dict[str, str]:
    """The product's Python files by their path in the repository."""
    paths = (path for package in PRODUCT for path in sorted((ROOT / package).rglob("*.py")))
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}


@cache
def parsed() -> dict[str, ast.Module]:
    """Those of them that are worth a look."""
    return {path: ast.parse(text) for path, text in sources().items() if SUSPECT.search(text)}


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Every call with its dotted name, `?` for what has none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield _dotted(node.func), node


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(value, attribute):
            return f"{_dotted(value)}.{attribute}"
        case _:
            return "?"


def imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every imported name, dotted, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                yield from ((alias.name, node.lineno) for alias in names)
            case ast.ImportFrom(module, names):
                yield from ((f"{module}.{alias.name}", node.lineno) for alias in names)


def hazards(path: str, tree: ast.Module) -> Iterator[str]:
    for name, line in imports(tree):
        if name.partition(".")[0] in FORBIDDEN_MODULES or name in FORBIDDEN_CALLS:
            yield f"{path}:{line} imports {name}"
    for name, call in calls(tree):
        method = name.rpartition(".")[2]
        found = name if name in FORBIDDEN_CALLS else method if method in FORBIDDEN_METHODS and "." in name else ""
        if found and (path, found) not in ALLOWED_CALLS:
            yield f"{path}:{call.lineno} calls {name}"
        if name in ("np.load", "numpy.load") and not _is_without_pickles(call):
            yield f"{path}:{call.lineno} calls {name} without allow_pickle=False"
        if any(word.arg == "shell" and not _is_false(word.value) for word in call.keywords):
            yield f"{path}:{call.lineno} calls {name} with a shell"
        if any(word.arg in ("echo", "echo_stdin") and not _is_false(word.value) for word in call.keywords):
            yield f"{path}:{call.lineno} calls {name} with an echo that nothing redacts"


def _is_without_pickles(call: ast.Call) -> bool:
    return any(word.arg == "allow_pickle" and _is_false(word.value) for word in call.keywords)


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def test_the_product_runs_nothing_that_it_reads() -> None:
    assert [hazard for path, tree in parsed().items() for hazard in hazards(path, tree)] == []


def test_no_allowance_outlives_its_reason() -> None:
    used = {
        (path, allowed)
        for path, tree in parsed().items()
        for name, _ in calls(tree)
        for allowed in (name, name.rpartition(".")[2])
        if (path, allowed) in ALLOWED_CALLS
    }
    assert used == set(ALLOWED_CALLS)


@pytest.mark.parametrize(
    "code",
    [
        "import pickle; pickle.loads(data)",
        "from pickle import loads",
        "from joblib import load",
        "import numpy as np; np.load(path)",
        "np.load(path, allow_pickle=True)",
        "yaml.load(text)",
        "tarfile.open(path).extractall()",
        "subprocess.run(line, shell=True)",
        "client.set_missing_host_key_policy(policy)",
        "eval(text)",
        "context.run(line, echo=True)",
    ],
)
def test_the_look_at_the_product_finds(code: str) -> None:
    assert SUSPECT.search(code)
    assert list(hazards("x.py", ast.parse(code)))


TRUSTS_ANY_KEY = re.compile(
    r"AutoAddPolicy|WarningPolicy|MissingHostKeyPolicy"
    r"|StrictHostKeyChecking[\s=\"',]*(?:no|off|accept-new|ask)\b"
    r"|UserKnownHostsFile[\s=\"',]*(?:/dev/null|none)\b"
    r"|known_hosts\s*=\s*(?:None|\(\)|\[\])"
    r"|NoHostAuthenticationForLocalhost[\s=]*yes"
    r"|ssh-keyscan"
    r"|--accept-new-host-key|server_host_key_algs\s*=\s*\[\]",
    re.IGNORECASE,
)
HINT = re.compile(rb"(?i:host)|Policy|ssh-keyscan")  # none of the words is without one of these
THIS_FILE = str(Path(__file__).resolve().relative_to(ROOT))
ALLOWED_MENTIONS = {
    THIS_FILE: "names what is looked for",
    "tests/integration/localcloud/machines/test_new_host_keys.py": "asks a server which key it shows, to compare it",
}


def texts() -> Iterator[tuple[str, str]]:
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in UNREAD and (name == ".github" or name[0] != ".")]
        for path in (Path(folder, name) for name in files):
            data = path.read_bytes() if path.is_file() else b"\0"
            if b"\0" not in data and HINT.search(data):
                yield str(path.relative_to(ROOT)), data.decode("utf-8", "replace")


def test_no_file_of_the_repository_trusts_an_unknown_host_key() -> None:
    found = {name: TRUSTS_ANY_KEY.findall(text) for name, text in texts() if TRUSTS_ANY_KEY.search(text)}
    assert {name: hits for name, hits in found.items() if name not in ALLOWED_MENTIONS} == {}
    assert set(found) == set(ALLOWED_MENTIONS), "an allowance whose file has no such word any more"


@pytest.mark.parametrize(
    "text",
    [
        "client.set_missing_host_key_policy(paramiko.AutoAddPolicy())",
        "ssh -o StrictHostKeyChecking=no host",
        "'-o', 'StrictHostKeyChecking', 'accept-new'",
        "    StrictHostKeyChecking no",
        "-o UserKnownHostsFile=/dev/null",
        "asyncssh.connect(host, known_hosts=None)",
        "ssh-keyscan host >> known_hosts",
    ],
)
def test_the_look_at_the_repository_finds(text: str) -> None:
    assert TRUSTS_ANY_KEY.search(text)


def test_every_connection_over_ssh_refuses_unknown_keys() -> None:
    policies = [
        ast.unparse(argument)
        for tree in parsed().values()
        for name, call in calls(tree)
        if name.endswith(".set_missing_host_key_policy")
        for argument in call.args
    ]
    assert policies == ["paramiko.RejectPolicy()"]


def test_the_linters_security_rules_are_on_for_all_of_the_product() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    assert "S" in lint["select"]
    assert {rule for rule in lint["ignore"] if re.fullmatch(r"S\d*", rule)} == {"S603", "S607"}
    left_out = {
        glob: {rule for rule in rules if re.fullmatch(r"S\d*", rule)}
        for glob, rules in lint["per-file-ignores"].items()
        if glob.startswith(PRODUCT)
    }
    assert left_out == {"runner/canary/hostile/**": {"S108"}}  # it tries which shared folders are there


def test_whoever_silences_a_security_rule_says_why() -> None:
    silent = [
        f"{path}:{number}"
        for path, text in sources().items()
        for number, line in enumerate(text.splitlines(), start=1)
        if re.search(r"# noqa: ?[A-Z0-9, ]*\bS\d{3}[A-Z0-9, ]*$", line.rstrip()) or re.search(r"# noqa$", line.rstrip())
    ]
    assert silent == []
