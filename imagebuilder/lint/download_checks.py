"""Find what comes from elsewhere without anybody knowing what it will be."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imagebuilder.documents.yaml_nodes import plain
from imagebuilder.lint import network
from imagebuilder.lint.calls import SHELLS, Call, Script
from imagebuilder.lint.hits import Hit
from imagebuilder.lint.source import Source, entry

_CHECKSUMS = re.compile(r"(md5|sha\d*|b2)sums?|shasum|gpgv|minisign|cosign")
_MOVING = re.compile(r"(?<![a-z])latest(?![a-z])", re.I)
_INTERPRETERS = SHELLS | {"python", "python3", "perl", "ruby", "node", "source", ".", "eval"}
_NEEDS_NETWORK = frozenset({"WebDownload", "S3Download", "S3Upload", "UpdateOS"})
_FETCHED_INLINE = re.compile(r"[$<]\(\s*(sudo\s+)?(curl|wget)\b|`\s*(curl|wget)\b")
_PIP_VALUES = (
    "-c", "--constraint", "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "-t", "--target", "--prefix",
    "--root", "--python", "--upgrade-strategy", "--no-binary", "--only-binary", "--platform", "--python-version",
    "--cache-dir", "--timeout", "--retries", "--proxy", "--cert", "--trusted-host", "--progress-bar", "-r",
    "--requirement", "-e", "--editable", "-p",
)  # fmt: skip
_CONDA_VALUES = ("-n", "--name", "-p", "--prefix", "-c", "--channel", "--file", "-f", "--solver", "--platform")
_NAME_A_COMMIT = frozenset({"checkout", "reset", "switch", "fetch"})
_PINNED_REF = re.compile(r"v?\d+(\.\d+)+\S*|[0-9a-f]{7,64}|.*[${].*")


def unpinned_download(source: Source) -> Iterator[Hit]:
    """Files that are fetched without a look at their checksum."""
    remedy = "compare it with a checksum of your own: sha256sum --check"
    for step in source.steps:
        if step.action == "WebDownload":
            for one in step.entries:
                if one.get("checksum") is None:
                    yield Hit(one.line, "WebDownload takes the file whatever it is", "give checksum and algorithm")
        if step.script is None:
            continue
        checked = max((n for n, call in enumerate(step.script.calls) if _compares(call)), default=-1)
        for number, call in enumerate(step.script.calls):
            if network.fetches_from_afar(call) and number > checked and not _is_a_question(call):
                yield Hit(call.line, f"{call.program} takes the file whatever it is", remedy)


def moving_version(source: Source) -> Iterator[Hit]:
    """What is another thing tomorrow: latest, a branch, a package without a version."""
    for step in source.steps:
        if step.action == "WebDownload":
            for one in step.entries:
                address = entry(one, "source")
                if address and _MOVING.search(str(plain(address.node))):
                    yield Hit(address.line, "latest is another file tomorrow", "name a version")
        if step.script is None:
            continue
        names_commit = any(call.program == "git" and network.verb(call) in _NAME_A_COMMIT for call in step.script.calls)
        for call in step.script.calls:
            found = _moving(call, names_commit=names_commit)
            if found:
                yield Hit(call.line, *found)


def pipe_to_shell(source: Source) -> Iterator[Hit]:
    """Programs that run before anybody has seen all of them."""
    for script in _scripts(source):
        fetching = {call.pipeline: call for call in script.calls if call.program in network.FETCHERS}
        for call in script.calls:
            fetched = fetching.get(call.pipeline)
            is_piped = fetched is not None and fetched is not call and call.program in _INTERPRETERS
            is_inline = call.program in _INTERPRETERS and any(_FETCHED_INLINE.search(word) for word in call.words)
            if is_piped or is_inline:
                remedy = "save it, compare its checksum, then run it"
                yield Hit(call.line, f"{call.program} runs what is still being downloaded", remedy)


def unverified_server(source: Source) -> Iterator[Hit]:
    """Downloads that take any server for the right one."""
    remedy = "take it away; where the certificate is your own, install that"
    for step in source.steps:
        for one in step.entries:
            trusted = entry(one, "ignoreCertificateErrors")
            if trusted and str(plain(trusted.node)).lower() == "true":
                yield Hit(trusted.line, "the server's certificate is not looked at", remedy)
        for call in step.script.calls if step.script else ():
            if _trusts_any_server(call):
                yield Hit(call.line, f"{call.program} takes any server for the right one", remedy)


def curl_without_fail(source: Source) -> Iterator[Hit]:
    """Errors of a server that are kept as if they were the file."""
    for script in _scripts(source):
        for call in script.calls:
            stops = call.has_option("-f", "--fail", "--fail-with-body")
            if call.program == "curl" and network.addresses(call) and not stops:
                yield Hit(call.line, "curl keeps a server's error page as if it were the file", "add --fail")


def network_in_test(source: Source) -> Iterator[Hit]:
    """What the test phase, which may run where no network is, cannot do."""
    remedy = "do it in build: the image must hold all that it needs"
    for step in source.steps:
        if step.phase != "test":
            continue
        if step.action in _NEEDS_NETWORK:
            yield Hit(step.line, f"{step.action} in the test phase needs a network", remedy)
        for call in step.script.calls if step.script else ():
            if network.needs_a_network(call):
                about = call.program if call.program in network.FETCHERS else f"{call.program} {network.verb(call)}"
                yield Hit(call.line, f"{about.strip()} in the test phase needs a network", remedy)


def _scripts(source: Source) -> Iterator[Script]:
    for step in source.steps:
        if step.script is not None:
            yield step.script


def _compares(call: Call) -> bool:
    """Whether a call looks at a checksum or a signature."""
    if call.program in ("gpg", "gpg2"):
        return call.has_option("--verify")
    return bool(_CHECKSUMS.fullmatch(call.program)) or (call.program == "openssl" and "dgst" in call.args)


def _is_a_question(call: Call) -> bool:
    """Whether nothing is fetched that would be run or kept."""
    return call.has_option("-I", "--head", "--spider", "--upload-file", "--data") or "/dev/null" in call.args


def _moving(call: Call, *, names_commit: bool) -> tuple[str, str] | None:
    """Say what of a call moves, and what to write."""
    if call.program in network.FETCHERS and any(_MOVING.search(url) for url in network.addresses(call)):
        is_near = all(network.is_near(url) for url in network.addresses(call))
        return None if is_near else ("latest is another file tomorrow", "name a version in the address")
    verb = network.verb(call)
    if call.program == "git" and verb == "clone":
        return None if names_commit else _moving_clone(call)
    if call.program == "pip" and verb == "install":
        return _moving_pip(call)
    if call.program in network.CONDAS:
        return _moving_conda(call, verb)
    return None


def _moving_clone(call: Call) -> tuple[str, str] | None:
    for number, arg in enumerate(call.args[:-1]):
        if arg in ("-b", "--branch", "--revision") and _PINNED_REF.fullmatch(call.args[number + 1]):
            return None
    return "git clone takes what the branch holds today", "name a commit: git checkout --detach COMMIT"


def _moving_pip(call: Call) -> tuple[str, str] | None:
    if call.has_option("--require-hashes", "-c", "--constraint"):
        return None
    loose = [name for name in network.packages(call, "install", _PIP_VALUES) if not _is_pinned_for_pip(name)]
    if loose:
        return f"pip takes whatever version of {', '.join(loose)} is new", f"write '{loose[0]}==VERSION'"
    lists = [call.args[n + 1] for n, arg in enumerate(call.args[:-1]) if arg in ("-r", "--requirement")]
    lists += [arg.partition("=")[2] for arg in call.args if arg.startswith("--requirement=")]
    if lists:
        remedy = "pin everything there and add --require-hashes, or a --constraint file"
        return f"pip takes what {lists[0]} leaves open in whatever version is new", remedy
    return None


def _is_pinned_for_pip(name: str) -> bool:
    """Files, folders, addresses and what only the run knows count as pinned; of git only a named commit."""
    if name.startswith("git+"):
        return bool(re.search(r"://[^/]*/.*@[^/]+$", name))
    return bool(re.search(r"===?[^*]|[/$@]|\{\{|^\.|\.(whl|zip|tar\.gz)$", name))


def _moving_conda(call: Call, verb: str) -> tuple[str, str] | None:
    if verb == "env" and {"create", "update"} & set(call.args):
        remedy = "pin everything there, or use a lock file (conda create --file with explicit addresses)"
        return f"{call.program} takes what the file leaves open in whatever version is new", remedy
    if verb in ("update", "upgrade"):
        return f"{call.program} {verb} is another thing tomorrow", "install named versions instead"
    if verb in ("install", "create"):
        loose = [name for name in network.packages(call, verb, _CONDA_VALUES) if not re.search(r"=|[/$]|\{\{", name)]
        if loose:
            return f"{call.program} takes whatever version of {', '.join(loose)} is new", f"write {loose[0]}=VERSION"
    return None


def _trusts_any_server(call: Call) -> bool:
    if call.program == "curl":
        return call.has_option("-k", "--insecure")
    if call.program == "wget":
        return call.has_option("--no-check-certificate")
    if call.program == "pip":
        return call.has_option("--trusted-host")
    if call.program == "git":
        return any(re.match(r"http\.sslverify=(false|0)", arg, re.I) for arg in call.args)
    if call.program in ("apt", "apt-get"):
        return call.has_option("--allow-unauthenticated") or "--force-yes" in call.args
    return False
