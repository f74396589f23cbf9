"""Have each machine of a Dask cluster show a certificate of its stack's authority."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from contracts.dask_machines import CERTIFICATES, Certificates, DaskRole, Verdict, certificates, unit
from contracts.errors import (
    AskedWrongly,
    CloudError,
    CommandFailed,
    CommandTimedOut,
    HostKeyRefused,
    HostUnreachable,
    RampartError,
)
from contracts.remote import CommandResult
from contracts.work import HostAddress
from runner.dask.machines import Addresses, DaskMachine
from runner.ports import Transport

_log = logging.getLogger(__name__)
_AT_A_TIME = 8
_FAILED = "dask-not-certified"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 60.0
_BOOTING_PAUSE_S = 16.0
"""A machine that does not answer is no news before the pauses have grown beyond this: half a minute."""
_TIMEOUT_S = 30.0
_NOT_READY = 75
"""Exit code of both scripts where the folder of the certificates is not there: the machine still boots."""

_SHOW = """\
[ -d "$1" ] || exit 75
cd "$1"
if [ -s "$4" ] && [ -s "$3" ]; then head -c 65536 "$3"; fi
"""

_TAKE = """\
set -eu
[ -d "$1" ] || exit 75
exec 9<"$1"
flock 9
cd "$1"
umask 077
draft=$(mktemp -d .new-XXXXXXXX)
trap 'rm -rf "$draft"' EXIT
take() {
  while IFS= read -r line; do
    [ "$line" != . ] || return 0
    printf '%s\\n' "$line"
  done
  exit 74
}
again=
[ ! -e "$4" ] || again=yes
for name in "$2" "$3" "$4"; do take >"$draft/$name"; done
chmod 0640 "$draft/$2" "$draft/$3" "$draft/$4"
for name in "$2" "$3" "$4"; do mv -f "$draft/$name" "$name"; done
[ -z "$again" ] || systemctl --no-block restart "$5"
"""
"""Three texts come in, each ended by a line with a dot: all are there before the first one is put in its place.

The folder hands its group on to them, which is that of the account that runs Dask.
"""


class Issuing(Protocol):
    """An authority. Every verb raises AskedWrongly where there is none."""

    def issue(self, role: DaskRole, name: str) -> Certificates:
        """Issue a certificate for a machine."""
        ...

    def judge(self, certificate: str, role: DaskRole, name: str) -> Verdict:
        """Say what a certificate in PEM is that a machine shows, which may be any text."""
        ...


@dataclass(slots=True)
class _Trouble:
    """A machine has no certificate yet: it is tried again at `again_at` of the clock. `told` was logged last."""

    pause_s: float
    again_at: float
    told: str


class Certifier:
    """Pushes certificates over verified SSH, to machines that show none or one that is outdated.

    Whoever has one that is current is left alone. One that had another is given new files, and Dask on it restarted.
    """

    def __init__(
        self,
        machines: Callable[[], Sequence[DaskMachine]],
        authority: Issuing,
        *,
        addresses: Addresses,
        connect: Callable[[HostAddress], Transport],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._machines = machines
        self._authority = authority
        self._addresses = addresses
        self._connect = connect
        self._clock = clock
        self._shown: dict[str, str] = {}
        self._troubles: dict[str, _Trouble] = {}
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._told = ""

    def look(self) -> int:
        """Certify what runs and needs it; gives how many machines show a current certificate. Raises nothing.

        What fails is logged once for each machine, unless it may just boot, and tried again by a later look.
        """
        try:
            machines = [each for each in self._machines() if each.instance.state == "running"]
            self._forget_all_but(machines)
            due = [each for each in machines if self._is_due(each)]
        except RampartError as error:
            self._tell(error)
            return 0
        if due:
            with ThreadPoolExecutor(min(_AT_A_TIME, len(due)), thread_name_prefix="certifying") as pool:
                list(pool.map(self._try, due))
        names = [each.instance.instance_id for each in machines]
        return sum(name in self._shown and name not in self._troubles for name in names)

    def ensure(self, machine: DaskMachine) -> None:
        """Have one machine show a current certificate.

        Raises HostUnreachable where that cannot be done (yet), CloudError, and AskedWrongly where it has a newer one
        than we can give.
        """
        name = machine.instance.instance_id
        with self._turns[name]:
            if self._is_current(machine):
                return
            transport = self._connect(self._addresses.of(machine))
            try:
                self._shown[name] = self._certified(transport, machine)
            finally:
                transport.close()

    def _certified(self, transport: Transport, machine: DaskMachine) -> str:
        """Give the certificate that the machine shows from now on."""
        role, name = machine.role, machine.instance.instance_id
        files = [path.rpartition("/")[2] for path in certificates(role)]
        shown = self._run(transport, machine, _SHOW, [CERTIFICATES, *files]).stdout.decode("ascii", "replace")
        verdict = self._authority.judge(shown, role, name)
        if verdict is Verdict.CURRENT:
            return shown
        if verdict is Verdict.NEWER:
            hint = "another machine has rotated them: copy the folder dask-tls from there, or invoke up here"
            raise AskedWrongly(f"the Dask {role} {name} has a certificate of a newer authority than ours", hint=hint)
        issued = self._authority.issue(role, name)
        texts = (issued.authority, issued.certificate, issued.key)
        stdin = "".join(f"{text.rstrip()}\n.\n" for text in texts).encode("ascii")
        self._run(transport, machine, _TAKE, [CERTIFICATES, *files, f"{unit(role)}.service"], stdin)
        _log.info("certified the Dask %s %s", role, name, extra={"action": "dask-certified", "host": name})
        return issued.certificate

    def _run(
        self, transport: Transport, machine: DaskMachine, script: str, words: Sequence[str], stdin: bytes = b""
    ) -> CommandResult:
        """Run a script as root. Raises HostUnreachable where the machine still boots, or cannot do it."""
        user, name = self._addresses.user, machine.instance.instance_id
        as_root = [] if user == "root" else ["sudo", "-n"]
        argv = [*as_root, "sh", "-c", script, "sh", *words]
        try:
            done = transport.run(argv, stdin=stdin, timeout_s=_TIMEOUT_S)
        except (CommandFailed, CommandTimedOut) as error:
            raise HostUnreachable(f"{name} cannot be given certificates: {error.message}", hint=error.hint) from error
        if done.exit_code == _NOT_READY:
            hint = "does its image run cloud-init, with the user data of the stack?"
            raise HostUnreachable(f"{name} has no folder {CERTIFICATES} yet: it boots", hint=hint)
        if done.exit_code != 0:
            last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            hint = f"may {user} use sudo there without a password?"
            message = f"{name} cannot be given certificates: exit code {done.exit_code}: {last}"
            raise HostUnreachable(message, hint=hint)
        return done

    def _is_current(self, machine: DaskMachine) -> bool:
        """As far as is remembered of what it shows; the authority may be another one by now."""
        name = machine.instance.instance_id
        shown = self._shown.get(name)
        return shown is not None and self._authority.judge(shown, machine.role, name) is Verdict.CURRENT

    def _is_due(self, machine: DaskMachine) -> bool:
        trouble = self._troubles.get(machine.instance.instance_id)
        return (trouble is None or trouble.again_at <= self._clock()) and not self._is_current(machine)

    def _try(self, machine: DaskMachine) -> None:
        name = machine.instance.instance_id
        try:
            self.ensure(machine)
        except RampartError as error:
            former = self._troubles.get(name)
            pause_s = _FIRST_PAUSE_S if former is None else min(_LONGEST_PAUSE_S, 2 * former.pause_s)
            told = "" if former is None else former.told
            if told != str(error) and (pause_s > _BOOTING_PAUSE_S or not _is_of_booting(error)):
                told = str(error)
                is_refused = isinstance(error, HostKeyRefused)
                level, action = (logging.CRITICAL, "host-key-refused") if is_refused else (logging.WARNING, _FAILED)
                _log.log(level, "%s", error, extra={"action": action, "host": name})
            self._troubles[name] = _Trouble(pause_s, self._clock() + pause_s, told)
        else:
            self._troubles.pop(name, None)

    def _forget_all_but(self, machines: Sequence[DaskMachine]) -> None:
        kept = {each.instance.instance_id for each in machines}
        for kept_by_id in (self._shown, self._troubles):
            for name in set(kept_by_id) - kept:
                kept_by_id.pop(name, None)
        self._addresses.forget_all_but(kept)

    def _tell(self, error: RampartError) -> None:
        if self._told != str(error):
            self._told = str(error)
            _log.warning("%s", error, extra={"action": _FAILED})


def _is_of_booting(error: RampartError) -> bool:
    """Whether it is what comes of asking too early: EC2 itself may not know all of a machine in its first seconds."""
    if isinstance(error, CloudError):
        return error.code.startswith("InvalidInstanceID")
    return isinstance(error, HostUnreachable) and not isinstance(error, HostKeyRefused)
