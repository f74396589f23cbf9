"""Look at a host of an image, as runs would get it, and tell whether it is fit for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from contracts.errors import CommandTimedOut, RampartError
from contracts.gpu import has_nvidia_gpu
from contracts.image import PROVENANCE_FILE, SUBMISSION_USER, ImageCheck, ImageStatus, MachineImage, Provenance
from contracts.remote import CommandResult
from contracts.work import HostLayout
from imagebuilder.ports import Rented, Transport

_QUICK_TEST_S = 1800.0
_IMPORT_S = 600.0
_TAIL_LINES = 20
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an event expects of its image's hosts."""

    quick_test_submission: str
    user: str
    instance_type: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was seen. `log_tail` holds the last lines of a quick test that failed."""

    checks: tuple[ImageCheck, ...]
    boot_s: float | None
    provenance: Provenance
    log_tail: tuple[str, ...] = ()

    @property
    def status(self) -> ImageStatus:
        """Fit only where nothing was found wrong."""
        return ImageStatus.VERIFIED if all(check.passed for check in self.checks) else ImageStatus.REJECTED


def unreached(error: RampartError) -> Verification:
    """What is known of an image whose host never answered as it should."""
    return Verification((ImageCheck("answers over SSH", False, error.message),), None, Provenance())


def verify(
    image: MachineImage, rented: Rented, wanted: Wanted, *, find_layout: Callable[[Transport], HostLayout]
) -> Verification:
    """Look at one host of the image. Raises HostUnreachable where it is lost meanwhile.

    `find_layout` raises RampartError where the host holds no challenge.
    """
    host = _Host(rented.transport)
    checks = [ImageCheck("answers over SSH", True, f"after {rented.boot_s:.1f} s, with the key it was given")]
    tail: tuple[str, ...] = ()
    provenance = Provenance()
    try:
        layout = find_layout(rented.transport)
    except RampartError as error:
        checks.append(ImageCheck("files", False, error.message))
    else:
        provenance = host.provenance(layout)
        user = host.submission_user(wanted.user)
        checks += [host.files(layout, wanted), host.environment(layout)]
        quick_test, tail = host.quick_test(layout, wanted, user)
        checks += [quick_test, host.unprivileged(user, wanted)]
        if has_nvidia_gpu(wanted.instance_type):
            checks += host.gpu(layout)
        checks += host.metadata(layout)
    checks.append(host.credentials())
    checks.append(ImageCheck("private", not image.is_public, "anybody may launch it" if image.is_public else ""))
    return Verification(tuple(checks), rented.boot_s, provenance, tail)


class _Host:
    """Questions to one host, each with its answer as a check."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def provenance(self, layout: HostLayout) -> Provenance:
        """What the image says it was made from; nothing of one that was not built by Rampart."""
        file = PurePosixPath(layout.kit_dir).parent.parent / PROVENANCE_FILE
        try:
            return Provenance.read(self._run("cat", str(file)).text)
        except ValueError:
            return Provenance()

    def submission_user(self, login_user: str) -> str:
        """Who runs submissions there: our images have a user for it, others have the login user alone."""
        is_there = self._run("sudo", "-n", "-u", SUBMISSION_USER, "true").exit_code == 0
        return SUBMISSION_USER if is_there else login_user

    def files(self, layout: HostLayout, wanted: Wanted) -> ImageCheck:
        kit = PurePosixPath(layout.kit_dir)
        paths = (
            str(kit / "problem.py"),
            str(kit / "submissions" / wanted.quick_test_submission),
            layout.python,
            layout.ramp_test,
        )
        script = 'for path; do test -e "$path" || echo "$path"; done'
        missing = self._run("sh", "-c", script, "sh", *paths).text.split()
        return ImageCheck("files", not missing, f"missing: {', '.join(missing)}" if missing else f"kit in {kit}")

    def environment(self, layout: HostLayout) -> ImageCheck:
        script = "import sys; sys.path.insert(0, sys.argv[1]); import rampwf, problem; print(sys.version.split()[0])"
        argv = ("env", "-C", layout.kit_dir, layout.python, "-B", "-c", script, layout.kit_dir)
        result = self._run(*argv, timeout_s=_IMPORT_S)
        passed = result.exit_code == 0
        detail = f"Python {result.text.strip().splitlines()[-1]}" if passed and result.text.strip() else _last(result)
        return ImageCheck("environment", passed, detail)

    def quick_test(self, layout: HostLayout, wanted: Wanted, user: str) -> tuple[ImageCheck, tuple[str, ...]]:
        binaries = str(PurePosixPath(layout.python).parent)
        script = 'cd "$1" && shift && exec env PATH="$1:$PATH" PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8 "$2" ' + (
            '--submission "$3" --quick-test'
        )
        shell = ("sh", "-c", script, "sh", layout.kit_dir, binaries, layout.ramp_test, wanted.quick_test_submission)
        result = self._run(*_as(user, wanted.user), *shell, timeout_s=_QUICK_TEST_S)
        if result.exit_code == 0:
            return ImageCheck("quick test", True, f"{wanted.quick_test_submission} as {user}"), ()
        lines = (result.stdout + result.stderr).decode("utf-8", "replace").splitlines()
        return ImageCheck("quick test", False, _last(result)), tuple(_clean(line) for line in lines[-_TAIL_LINES:])

    def unprivileged(self, user: str, wanted: Wanted) -> ImageCheck:
        """A user for submissions who could become root would be none."""
        name = "submission user"
        if user == wanted.user:
            return ImageCheck(name, True, f"none, submissions run as {wanted.user}")
        asked = ("sudo", "-n", "-u", SUBMISSION_USER, "sudo", "-n", "true")
        if self._run("id", "-u", SUBMISSION_USER).exit_code != 0:
            return ImageCheck(name, True, "this machine has no users of its own")
        can_be_root = self._run(*asked).exit_code == 0
        return ImageCheck(name, not can_be_root, f"{SUBMISSION_USER} may use sudo" if can_be_root else SUBMISSION_USER)

    def gpu(self, layout: HostLayout) -> Iterator[ImageCheck]:
        driver = self._run("nvidia-smi", "-L")
        seen = driver.text.strip().splitlines()
        yield ImageCheck("GPU driver", driver.exit_code == 0 and bool(seen), _clean(seen[0]) if seen else _last(driver))
        framework = self._run(layout.python, "-I", "-B", "-c", _FRAMEWORKS, timeout_s=_IMPORT_S)
        yield ImageCheck("GPU framework", framework.exit_code == 0, _last(framework))

    def metadata(self, layout: HostLayout) -> Iterator[ImageCheck]:
        """What a submission could read of the machine's own: it must be nothing of worth."""
        said = self._run(layout.python, "-I", "-B", "-c", _METADATA).text
        facts, _, user_data = said.partition("\n\n")
        if "reached" not in facts.split():
            yield ImageCheck("instance metadata", True, "not reachable")
            return
        doors = [what for word, what in _DOORS if word in facts.split()]
        yield ImageCheck("instance metadata", not doors, ", ".join(doors) or "session tokens only, no credentials")
        secret = secret_in(user_data)
        yield ImageCheck("user data", not secret, f"holds {secret}" if secret else "holds no secret but the host key")

    def credentials(self) -> ImageCheck:
        left = self._run("sh", "-c", _CREDENTIAL_FILES).text.split()
        detail = f"left on the disk: {', '.join(map(_clean, left))}" if left else "none on the disk"
        return ImageCheck("credentials", not left, detail)

    def _run(self, *argv: str, timeout_s: float = 60.0) -> CommandResult:
        try:
            return self._transport.run(argv, timeout_s=timeout_s)
        except CommandTimedOut as error:
            return CommandResult(124, b"", error.message.encode())


def secret_in(user_data: str) -> str:
    """Name what user data holds that is nobody's business, the machine's own host key aside; empty where nothing."""
    rest = _HOST_KEY.sub("", user_data)
    return next((name for name, pattern in _SECRETS if pattern.search(rest)), "")


def _as(user: str, login_user: str) -> Sequence[str]:
    return () if user == login_user else ("sudo", "-n", "-H", "-u", user)


def _last(result: CommandResult) -> str:
    lines = (result.stderr.strip() or result.stdout.strip()).decode("utf-8", "replace").splitlines()
    return _clean(lines[-1]) if lines else f"exit code {result.exit_code}"


def _clean(line: str) -> str:
    """Kits' programs print what they like: keep control sequences off a terminal."""
    return "".join(letter for letter in line if letter.isprintable())[:_SHOWN]


_HOST_KEY = re.compile(r"ed25519_private:.*?-----END OPENSSH PRIVATE KEY-----", re.DOTALL)
_SECRETS = (
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("an AWS access key", re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("a password", re.compile(r"(?i)(passw(or)?d|secret|token)['\"]?\s*[:=]\s*['\"]?[^\s'\"*]{4,}")),
    ("a password in an address", re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s:@]+@")),
)
_DOORS = (
    ("tokenless", "answers without a session token"),
    ("role", "gives credentials of an instance profile"),
)

# Facts first, then an empty line and the user data. The address is the instance metadata service's own.
_METADATA = """
import urllib.request as web
opener = web.build_opener(web.ProxyHandler({}))
at = "http://169.254.169.254/latest/"
def ask(path, method="GET", **headers):
    try:
        request = web.Request(at + path, method=method, headers={"X-aws-ec2-" + k: v for k, v in headers.items()})
        return opener.open(request, timeout=3).read().decode("utf-8", "replace")
    except OSError:
        return ""
token = ask("api/token", "PUT", **{"metadata-token-ttl-seconds": "60"})
if token:
    print("reached")
    if ask("meta-data/instance-id"):
        print("tokenless")
    if ask("meta-data/iam/security-credentials/", **{"metadata-token": token}).strip():
        print("role")
    print()
    print(ask("user-data", **{"metadata-token": token}))
"""

# A rehearsal without users of its own may show the homes of the machine around it: those are not the image's.
_CREDENTIAL_FILES = rf"""
homes=
if id -u {SUBMISSION_USER} > /dev/null 2>&1; then homes='/root /home/*'; fi
for home in "$HOME" $homes; do
  for name in .aws/credentials .netrc .git-credentials .config/gcloud/credentials.db .docker/config.json; do
    if sudo -n test -s "$home/$name" 2>/dev/null; then echo "$home/$name"; fi
  done
done | sort -u
"""

_FRAMEWORKS = """
import importlib.util as find, sys
asked = {
    "torch": lambda m: m.cuda.is_available(),
    "tensorflow": lambda m: bool(m.config.list_physical_devices("GPU")),
    "jax": lambda m: any(one.platform in ("gpu", "cuda") for one in m.devices()),
    "cupy": lambda m: m.cuda.runtime.getDeviceCount() > 0,
}
there = [name for name in asked if find.find_spec(name)]
blind = [name for name in there if not asked[name](__import__(name))]
print(", ".join(blind) + " sees no GPU" if blind else ", ".join(there) or "no framework is installed")
sys.exit(1 if blind else 0)
"""
