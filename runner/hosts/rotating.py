"""Let a host make itself an SSH key of its own, so that the one in its user data is worth nothing any more.

The new key's private half never leaves the host. Its public half comes back over the connection that the launch's key
verifies, is noted, and only then shown by the host: whoever is killed in between leaves a host that can be reached.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from contracts.errors import CommandTimedOut, HostKeyNotRotated, HostKeyRefused, HostUnreachable
from contracts.remote import CommandResult
from contracts.work import HostAddress, Isolation, Work
from runner.ports import Transport

T = TypeVar("T")
_log = logging.getLogger(__name__)
_PUBLIC_KEY = re.compile(r"ssh-ed25519 [A-Za-z0-9+/]{68}")
_RELOAD_S = 5.0
"""How long sshd may take to show what lies on its disk."""
_FIRST_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 0.5

_AS_ROOT = """script=$1; shift
as_root=; [ "$(id -u)" = 0 ] || as_root='sudo -n'
exec $as_root sh -c "$script" sh "$@"
"""
# what was begun before is gone on with: the key of a half-done rotation may be noted already
_MAKE = """next=/etc/ssh/rampart_next_host_key
if [ ! -s $next.pub ]; then
    [ ! -e $next ] || rm -f $next || exit
    ssh-keygen -q -t ed25519 -N '' -C '' -f $next </dev/null >&2 || exit
fi
read -r public <$next.pub && echo "$public"
"""
# sshd is asked first whether it would come up again with the key: one that does not would take the host with it
_TAKE = """next=/etc/ssh/rampart_next_host_key key=/etc/ssh/ssh_host_ed25519_key
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
if [ -e $next ]; then found=$next; else found=$key; fi
case $(ssh-keygen -y -P '' -f $found) in
    "$1" | "$1 "*) ;;
    *) echo "the new key is not there" >&2; exit 1 ;;
esac
if [ $found = $next ]; then
    ! command -v sshd >/dev/null || sshd -t -h $next || exit
    mv -f $next $key || exit
fi
[ ! -e $next.pub ] || mv -f $next.pub $key.pub || exit
for old in /etc/ssh/ssh_host_*; do
    case $old in $key | $key.pub) ;; *) rm -f "$old" ;; esac
done
systemctl reload ssh || systemctl reload sshd || kill -HUP "$(cat /run/sshd.pid)"
exit 0
"""

MAKE_KEY = ("sh", "-c", _AS_ROOT, "sh", _MAKE)
"""Has a host make a key pair beside the one it shows; prints the public half. The same one each time until taken."""


def take_key(own_key: str) -> tuple[str, ...]:
    """Have a host show the key it made, and have no other; doing it twice is fine.

    It ends well where sshd could not be told: whether that shows the key is seen from outside.
    """
    return ("sh", "-c", _AS_ROOT, "sh", _TAKE, own_key)


def key_in(said: str) -> str | None:
    """The public key a host printed, without its comment; None where it is none."""
    found = _PUBLIC_KEY.match(said)
    return found[0] if found and not said[found.end() :].strip() else None


@dataclass(frozen=True, slots=True)
class RotationDoors:
    """What rotating needs from the outside: `note` is given the key a host will show, before it does."""

    connect: Callable[[HostAddress], Transport]
    note: Callable[[str], None]
    now: Callable[[], datetime]
    sleep: Callable[[float], None]


class Rotation:
    """One host's way from its launch's key to its own; what breaks it off, it is gone on with when asked again.

    `own_key` is the one that was noted before, if any.
    """

    def __init__(self, work: Work, *, launch_key: str, own_key: str, doors: RotationDoors) -> None:
        self._work = work
        self._launch_key = launch_key
        self._own_key = own_key
        self._doors = doors

    def settled(self, address: Callable[[str], HostAddress], do: Callable[[Transport], T]) -> tuple[HostAddress, T]:
        """Let the host have a key of its own, and `do` something over a verified connection; gives its address.

        `address` tells where a host is that shows a key. A host that cannot have its own is warned of and known by its
        launch's key, unless the event is strict about isolation. Raises HostKeyRefused, HostUnreachable,
        HostKeyNotRotated, and what noting raises.
        """
        launched = address(self._launch_key)
        if self._own_key:
            with suppress(HostKeyRefused):  # whoever noted it may have been killed before the host took it
                return self._done(address(self._own_key), do)
        try:
            transport = self._doors.connect(launched)
        except HostKeyRefused:
            if not self._own_key:
                raise
            return self._awaited(address(self._own_key), do)  # its sshd may be about to show it
        with closing(transport):
            why = self._rotated(launched, transport)
            result = do(transport)  # which gives sshd its time
        if not why:
            own = address(self._own_key)
            try:
                self._awaited(own, lambda _: None)
            except HostKeyRefused as refused:
                self._check_launch_key(launched, refused)
                why = "its sshd goes on showing the old one"
            else:
                return own, result
        self._warn(launched, why)
        return launched, result

    def _done(self, host: HostAddress, do: Callable[[Transport], T]) -> tuple[HostAddress, T]:
        with closing(self._doors.connect(host)) as transport:
            return host, do(transport)

    def _rotated(self, host: HostAddress, transport: Transport) -> str:
        """Have the host make a key, note it, have it taken; gives why the host could not, empty where it has."""
        try:
            made = transport.run(MAKE_KEY)
            own_key = key_in(made.text) if made.exit_code == 0 else None
            if own_key is None:
                return _said(made)
            if own_key != self._own_key:
                self._doors.note(own_key)
                self._own_key = own_key
            taken = transport.run(take_key(own_key))
            return "" if taken.exit_code == 0 else _said(taken)
        except CommandTimedOut as error:
            raise HostUnreachable(f"{host.host_id} does not answer: {error.message}") from error

    def _awaited(self, own: HostAddress, do: Callable[[Transport], T]) -> tuple[HostAddress, T]:
        """Connect with the host's own key; until its sshd has read it, another or none answers."""
        deadline, pause_s = self._doors.now() + timedelta(seconds=_RELOAD_S), _FIRST_PAUSE_S
        while True:
            try:
                return self._done(own, do)
            except HostUnreachable:
                if self._doors.now() >= deadline:
                    raise
            self._doors.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _check_launch_key(self, launched: HostAddress, refused: HostKeyRefused) -> None:
        """Raise the refusal unless it is the host that answers, with the key it had."""
        try:
            self._doors.connect(launched).close()
        except HostKeyRefused:
            raise refused from None

    def _warn(self, host: HostAddress, why: str) -> None:
        """Tell that every submission there can read the host's key in the user data, unless that is asking too much."""
        message = f"{host.host_id} keeps the SSH host key that is in its user data: {why}"
        if self._work.isolation is Isolation.STRICT:
            hint = "the image needs ssh-keygen, and sudo without a password for its user; or set worker.isolation"
            raise HostKeyNotRotated(message, hint=hint)
        _log.warning("%s", message, extra={"action": "host-key-not-rotated"})


def _said(result: CommandResult) -> str:
    """The last line of what a command said against itself."""
    lines = result.stderr.decode("utf-8", "replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return "".join(letter for letter in last if letter.isprintable())[:200] or f"exit code {result.exit_code}"
