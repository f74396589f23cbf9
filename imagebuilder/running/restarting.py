"""Have a machine restart itself, and tell its lives apart."""

from __future__ import annotations

from contracts.errors import CommandFailed, CommandTimedOut, HostUnreachable
from imagebuilder.ports import Transport
from imagebuilder.running.machine import last_words

_PATIENCE_S = 300
_SHORT_S = 60.0
_RESTART = f"""as_root=; [ "$(id -u)" = 0 ] || as_root='sudo -n'
$as_root shutdown -r now || exit 96
exec sleep {_PATIENCE_S}
"""
_REFUSED = 96
_LIFE = """[ -r /proc/1/stat ] || exit 0
cat /proc/sys/kernel/random/boot_id && read -r stat < /proc/1/stat && set -- ${stat##*) } && shift 19 && echo "$1"
"""


def ask_to_restart(transport: Transport) -> None:
    """Tell a machine to restart, and wait until it goes down: what waits there ends with it.

    The connection ends as well, sooner or later. Raises CommandFailed where the machine will not restart.
    """
    try:
        done = transport.run(("sh", "-c", _RESTART), timeout_s=_PATIENCE_S + _SHORT_S)
    except (HostUnreachable, CommandTimedOut):
        return
    if done.exit_code == _REFUSED:
        raise CommandFailed(f"the machine will not restart: {last_words(done)}", exit_code=_REFUSED)
    if done.exit_code == 0:
        raise CommandFailed(f"the machine did not restart within {_PATIENCE_S} s", exit_code=0)


def life_of(transport: Transport) -> str:
    """Give a word that is another one after every restart; "" where the machine has none.

    Linux names each boot; the first process's start tells the lives of machines that share a kernel apart. Raises
    HostUnreachable, also where the machine is reached and cannot do even this: it is on its way up or down.
    """
    done = transport.run(("sh", "-c", _LIFE), timeout_s=_SHORT_S)
    if done.exit_code != 0:
        raise HostUnreachable(f"the machine is not up: {last_words(done)}")
    return " ".join(done.text.split())
