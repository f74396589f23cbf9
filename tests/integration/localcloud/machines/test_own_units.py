"""The systemd units that a machine wrote itself run in it, at every level that has a machine of its own."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from localcloud.machines import Level, Machine, MachineRoom

Inside = Callable[..., subprocess.CompletedProcess[str]]

SERVICE = """\
[Unit]
Description=Something that stays
[Service]
{account}
StateDirectory=stay
StateDirectoryMode=0750
WorkingDirectory=/var/lib/stay
Environment=GREETING="hello again"
ExecStart=/bin/sh -c 'id -un; pwd; echo "$GREETING"; sudo -n id -u || echo refused; setsid sleep 600 & exec sleep 500'
Restart=always
RestartSec=100ms
KillMode={kill_mode}
{more}
[Install]
WantedBy=multi-user.target
"""
PATH = "[Path]\nPathExists=/etc/stay/key\n[Install]\nWantedBy=multi-user.target\n"
UNTIL = 'until_is() { until [ "$(systemctl is-active stay)" = "$1" ]; do sleep 0.05; done; }\n'
MAIN = "$(systemctl status stay | sed -n 's/.*Main PID: //p')"
AS_DASK = "User=stayer\nGroup=stayer"


with_a_system_of_its_own = pytest.mark.parametrize("level", [Level.FULL, Level.USER], indirect=True)
with_users_of_its_own = pytest.mark.parametrize("level", [Level.FULL], indirect=True)


def give_units(machine: Machine, *, account: str = "", kill_mode: str = "control-group", more: str = "") -> None:
    service = SERVICE.format(account=account, kill_mode=kill_mode, more=more)
    for name, text in (("stay.service", service), ("stay.path", PATH)):
        machine.write_file(f"/etc/systemd/system/{name}", text.encode(), mode=0o644, owner="root")


def told(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@with_a_system_of_its_own
def test_a_service_starts_when_its_path_is_there_and_again_after_a_reboot(room: MachineRoom, inside: Inside) -> None:
    machine = room.create("i-1", image_id=None, login_user="ubuntu", address="127.20.0.9")
    give_units(machine)

    inside(machine, "sudo systemctl daemon-reload && sudo systemctl enable --now stay.path")
    waits = inside(machine, "systemctl is-active stay.path stay; systemctl is-enabled stay.path")
    assert waits.stdout.split() == ["active", "inactive", "enabled"]

    started = inside(machine, f"{UNTIL} sudo mkdir /etc/stay && sudo touch /etc/stay/key && until_is active")
    assert started.returncode == 0, started.stderr
    machine.stop()
    machine.start()
    assert told(inside(machine, f"{UNTIL} until_is active && hostname -I")) == ["127.20.0.9"]


@with_a_system_of_its_own
def test_a_service_runs_as_its_account_with_its_folder_and_variables(
    machine: Machine, level: Level, inside: Inside
) -> None:
    give_units(machine, account=AS_DASK)
    inside(machine, "useradd --system --user-group --home-dir /var/lib/stay stayer", user="root")

    assert inside(machine, "systemctl start stay", user="root").returncode == 0
    ready = "until journalctl -u stay | grep -q again; do sleep 0.05; done; journalctl -u stay"
    said = inside(machine, f"{ready}; stat -c %a /var/lib/stay").stdout.splitlines()

    said = [line for line in said if " units: " not in line]
    # the level user has one user besides root, whom a service that is not root's is
    who = "stayer" if level is Level.FULL else "ubuntu"
    assert said[:3] == [who, "/var/lib/stay", "hello again"]
    assert said[-1] == "750"


@with_users_of_its_own
@pytest.mark.parametrize(
    ("rule", "more", "may"),
    [
        ("stayer ALL=(ALL) NOPASSWD: ALL", "", True),
        ("", "", False),
        ("stayer ALL=(ALL) NOPASSWD: ALL", "NoNewPrivileges=yes", False),
    ],
    ids=["named", "not-named", "without-new-privileges"],
)
def test_a_service_may_use_sudo_where_its_account_may(
    machine: Machine, inside: Inside, rule: str, more: str, may: bool
) -> None:
    give_units(machine, account=AS_DASK, more=more)
    machine.write_file("/etc/sudoers.d/stayer", f"{rule}\n".encode(), mode=0o440, owner="root")
    inside(machine, "useradd --system --user-group stayer && systemctl start stay", user="root")

    ready = 'until grep -qxE "0|refused" /var/lib/rampart-units/stay.log; do sleep 0.05; done'
    said = inside(machine, f"{ready}; journalctl -u stay").stdout.splitlines()

    assert ("0" in said) is may, said


@with_a_system_of_its_own
def test_a_service_that_ends_starts_again_and_a_stop_ends_all_of_it(machine: Machine, inside: Inside) -> None:
    give_units(machine)
    script = f"""{UNTIL}
        systemctl start stay; first={MAIN}
        kill -9 $first; until second={MAIN}; [ -n "$second" ] && [ "$second" != "$first" ]; do sleep 0.05; done
        systemctl restart stay; [ $second != {MAIN} ] && echo restarted
        systemctl stop stay; systemctl is-active stay; grep -l sleep /proc/[0-9]*/comm | wc -l
    """
    assert told(inside(machine, script, user="root")) == ["restarted", "inactive", "0"]


@with_a_system_of_its_own
def test_what_a_main_process_has_left_stays_where_only_that_one_is_to_be_ended(
    machine: Machine, inside: Inside
) -> None:
    give_units(machine, kill_mode="process")
    left = "grep -l sleep /proc/[0-9]*/comm | wc -l"
    script = f"systemctl start stay; until [ $({left}) = 2 ]; do sleep 0.05; done; systemctl stop stay; {left}"
    assert told(inside(machine, script, user="root")) == ["1"]


@with_a_system_of_its_own
def test_units_are_roots_business_and_what_cannot_be_run_is_refused(
    machine: Machine, level: Level, inside: Inside
) -> None:
    give_units(machine, more="Type=notify")
    refused = inside(machine, "systemctl start stay", user="root")
    assert (refused.returncode, "Type=notify is not emulated" in refused.stderr) == (1, True)
    if level is Level.FULL:
        by_another = inside(machine, "systemctl start stay")
        assert (by_another.returncode, "must be root" in by_another.stderr) == (1, True)


@with_a_system_of_its_own
def test_an_image_brings_its_units_and_starts_what_is_enabled(
    room: MachineRoom, machine: Machine, inside: Inside
) -> None:
    give_units(machine)
    inside(machine, "systemctl enable stay", user="root")
    room.snapshot(machine, "ami-1")
    launched = room.create("i-launched", image_id="ami-1", login_user="ubuntu")
    assert inside(launched, f"{UNTIL} until_is active").returncode == 0


@with_a_system_of_its_own
def test_no_process_of_a_unit_outlives_its_machine(room: MachineRoom, inside: Inside) -> None:
    # looked for by its name, which no machine of a test beside this one has
    machine = room.create(f"i-{secrets.token_hex(8)}", image_id=None, login_user="ubuntu")
    give_units(machine, kill_mode="process")
    inside(machine, "systemctl start stay", user="root")
    assert _living(machine.instance_id)
    machine.destroy()
    assert _living(machine.instance_id) == []


@pytest.mark.parametrize("level", [Level.PLAIN], indirect=True)
def test_units_of_the_level_plain_are_recorded_only(room: MachineRoom, inside: Inside) -> None:
    machine = room.create("i-1", image_id=None, login_user="ubuntu", address="127.20.0.9")
    give_units(machine)
    done = inside(machine, "sudo systemctl enable --now stay.path; systemctl is-active stay; hostname -I")
    assert done.stdout.split() == ["inactive", "127.20.0.9"]
    assert ["systemctl", "enable", "--now", "stay.path"] in machine.recorded_calls()


def _living(instance_id: str) -> list[str]:
    mark = f"RAMPART_MACHINE={instance_id}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append((entry / "comm").read_text().strip())
        except OSError:  # it has ended
            continue
    return found
