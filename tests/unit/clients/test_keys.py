"""Key files are made safely, and refused where they are not safe."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from clients.keys import check_key_file, new_host_key, new_key_file
from contracts.errors import KeyFileInvalid


def test_a_new_key_file_is_private_with_its_public_half_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "id_ed25519"
    public = new_key_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.with_name("id_ed25519.pub").read_text() == public + "\n"
    assert public.startswith("ssh-ed25519 AAAA")
    check_key_file(path)


def test_a_key_that_exists_is_never_replaced(tmp_path: Path) -> None:
    new_key_file(tmp_path / "key")
    with pytest.raises(FileExistsError):
        new_key_file(tmp_path / "key")


def test_two_host_keys_differ() -> None:
    assert new_host_key() != new_host_key()


def test_a_missing_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileInvalid, match="there is no key file"):
        check_key_file(tmp_path / "key")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_file_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    new_key_file(tmp_path / "key")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(KeyFileInvalid, match="chmod 600"):
        check_key_file(tmp_path / "key")


@pytest.mark.parametrize("content", [b"", b"ssh-ed25519 AAAA", b"-----BEGIN OPENSSH PRIVATE KEY-----\nno\n"])
def test_a_file_without_a_private_key_is_refused(tmp_path: Path, content: bytes) -> None:
    _write(tmp_path / "key", content)
    with pytest.raises(KeyFileInvalid, match="holds no private key"):
        check_key_file(tmp_path / "key")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileInvalid):
        check_key_file(tmp_path)


def test_a_key_with_a_passphrase_is_refused(tmp_path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    locked = serialization.BestAvailableEncryption(b"secret")
    _write(tmp_path / "key", key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, locked))
    with pytest.raises(KeyFileInvalid, match="has a passphrase"):
        check_key_file(tmp_path / "key")


@pytest.mark.parametrize("form", [serialization.PrivateFormat.TraditionalOpenSSL, serialization.PrivateFormat.PKCS8])
def test_an_rsa_key_as_ec2_gives_it_is_taken_but_not_in_pkcs8(
    tmp_path: Path, form: serialization.PrivateFormat
) -> None:
    key = rsa.generate_private_key(65537, 2048)
    _write(tmp_path / "key", key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    if form is serialization.PrivateFormat.PKCS8:
        with pytest.raises(KeyFileInvalid, match="ssh-keygen -p -m PEM"):
            check_key_file(tmp_path / "key")
    else:
        check_key_file(tmp_path / "key")


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
