"""What the local cloud takes from an instance's user data."""

from __future__ import annotations

import base64
import gzip

import pytest

from localcloud import user_data

CONFIG = """#cloud-config
ssh_deletekeys: true
ssh_keys:
  ed25519_private: |
    -----BEGIN OPENSSH PRIVATE KEY-----
    abc
    -----END OPENSSH PRIVATE KEY-----
  ed25519_public: ssh-ed25519 AAAA
ssh_authorized_keys:
  - ssh-ed25519 BBBB somebody
runcmd:
  - [shutdown, -h, "+120"]
  - echo hello > /etc/greeting
"""


def encoded(data: str | bytes) -> str:
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def test_no_user_data_asks_for_nothing() -> None:
    assert user_data.parse(None) == user_data.UserData()


def test_host_key_authorized_keys_and_commands_are_taken_from_cloud_config() -> None:
    taken = user_data.parse(encoded(CONFIG))
    assert taken.host_key_private is not None
    assert taken.host_key_private.startswith("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n")
    assert taken.authorized_keys == ("ssh-ed25519 BBBB somebody",)
    assert taken.commands == ("shutdown -h +120", "echo hello > /etc/greeting")
    assert taken.warnings == ()


def test_compressed_user_data_is_the_same_user_data() -> None:
    assert user_data.parse(encoded(gzip.compress(CONFIG.encode()))) == user_data.parse(encoded(CONFIG))


def test_a_script_is_run_by_its_own_interpreter() -> None:
    taken = user_data.parse(encoded("#!/bin/bash -e\necho it's on\n"))
    assert taken.commands == ("/bin/bash -e -c '#!/bin/bash -e\necho it'\"'\"'s on\n'",)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("#cloud-config\n: : :\n- [", "not valid YAML"),
        ("#cloud-config\n- a\n", "not a mapping"),
        ("hello", "neither"),
        (b"\x1f\x8bbroken", "cannot be decoded"),
    ],
)
def test_what_cannot_be_read_is_a_warning_as_in_cloud_init(text: str | bytes, warning: str) -> None:
    taken = user_data.parse(encoded(text))
    assert taken.commands == ()
    assert warning in taken.warnings[0]


def test_sections_of_a_wrong_shape_are_ignored() -> None:
    taken = user_data.parse(encoded("#cloud-config\nssh_keys: [a]\nruncmd: text\nssh_authorized_keys: {a: b}\n"))
    assert (taken.host_key_private, taken.commands, taken.authorized_keys) == (None, (), ())


def test_the_boot_ends_with_cloud_inits_marker_whatever_the_commands_do() -> None:
    script = user_data.UserData(commands=("exit 3", "false")).boot_script()
    assert script.splitlines()[0] == "( exit 3"
    assert script.rstrip().endswith("> /var/lib/cloud/instance/boot-finished ) 2>/dev/null")
