"""What the local cloud takes from an instance's user data."""

from __future__ import annotations

import base64
import gzip

import pytest

from contracts.host_boot import render_user_data
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


def test_files_are_taken_with_their_modes_owners_and_encodings() -> None:
    packed = base64.b64encode(gzip.compress(b"zipped")).decode()
    config = f"""#cloud-config
write_files:
  - {{path: /etc/plain, content: "text\\n"}}
  - {{path: /etc/secret, content: aGlkZGVu, encoding: b64, permissions: "0600", owner: "root:root"}}
  - {{path: /etc/zipped, content: {packed}, encoding: gz+b64, permissions: 0o755}}
  - {{path: /etc/empty}}
"""
    assert user_data.parse(encoded(config)).files == (
        user_data.File("/etc/plain", b"text\n"),
        user_data.File("/etc/secret", b"hidden", 0o600, "root:root"),
        user_data.File("/etc/zipped", b"zipped", 0o755),
        user_data.File("/etc/empty", b""),
    )


def test_the_user_data_of_our_own_machines_is_followed() -> None:
    text = render_user_data(lifetime_s=600, files={"/etc/rampart/note": "hello\n"}, commands=[["echo", "a b"]])
    taken = user_data.parse(encoded(text))
    assert taken.files == (user_data.File("/etc/rampart/note", b"hello\n"),)
    assert taken.commands == ("shutdown -h +10", "echo 'a b'")
    assert (taken.host_key_private, taken.warnings) == (None, ())


@pytest.mark.parametrize(
    "entry",
    [
        "{content: no path}",
        "{path: relative}",
        "{path: 7}",
        "just text",
        "{path: /a, content: a, encoding: b64}",
        "{path: /a, content: aaaa, encoding: gz+b64}",
        "{path: /a, permissions: rw}",
    ],
)
def test_a_file_that_cannot_be_read_keeps_no_other_from_being_written(entry: str) -> None:
    taken = user_data.parse(encoded(f"#cloud-config\nwrite_files:\n- {entry}\n- {{path: /b, content: c}}\n"))
    assert taken.files == (user_data.File("/b", b"c"),)
    assert "write_files" in taken.warnings[0]


def test_sections_of_a_wrong_shape_are_ignored() -> None:
    wrong = "ssh_keys: [a]\nssh_authorized_keys: {a: b}\nwrite_files: 1"
    taken = user_data.parse(encoded(f"#cloud-config\nruncmd: text\n{wrong}\n"))
    assert (taken.host_key_private, taken.commands, taken.authorized_keys, taken.files) == (None, (), (), ())


def test_the_boot_ends_with_cloud_inits_marker_whatever_the_commands_do() -> None:
    script = user_data.UserData(commands=("exit 3", "false")).boot_script()
    assert script.splitlines()[0] == "( exit 3"
    assert script.rstrip().endswith("> /var/lib/cloud/instance/boot-finished ) 2>/dev/null")
