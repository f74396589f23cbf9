"""Secrets are told from checksums, paths and names by how they look."""

from __future__ import annotations

import random
import string

import pytest

from imagebuilder.lint import secret_words


@pytest.mark.parametrize(
    "word",
    [
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1",
        "dGhpcyBpcyBub3QgYSBzZWNyZXQ9x7Q2",
        "Zx81kQp0_vT3-mRb55LsW9e",
    ],
)
def test_a_random_word_is_found_within_a_text(word: str) -> None:
    assert [at for at, _ in secret_words.secrets(f"echo '{word}'")] == [6]


@pytest.mark.parametrize(
    "text",
    [
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "3f786850e387550fdab836ed7e6dc881de23001b",
        "123e4567-e89b-12d3-a456-426614174000",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
        "SHA256:JBKsVvxnfZ5hJbU7bXyuzGsIc1wFYWp0dYcgHGlyXzY",
        "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "ami-0d3f4b5a6c7e8f901",
        "Miniforge3-25.3.0-3-Linux-x86_64.sh",
        "https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2204/x86_64/cuda-keyring_1.1-1_all.deb",
        "arn:aws:iam::aws:policy/EC2InstanceProfileForImageBuilderECRContainerBuilds",
        "nvidia-headless-no-dkms-570-server",
        "/usr/lib/x86_64-linux-gnu/libcudnn_adv_infer8",
        "H4sIAAAAAAAC/0tMSk5JTUvPyMzKzsnNyy8oLCouKS0rr6isqq6prauvb2hsam5pbWvv6Ozq7unt658wcRIAWf1hQzQAAAA=",
        "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        'scheme="https" https://$user:$password@data.example https://{{ User }}:{{ Word }}@x.example',
        "postgresql://localhost:5432/ramp git@github.com:ramp-kits/iris.git",
    ],
)
def test_what_everybody_may_know_is_no_secret(text: str) -> None:
    assert list(secret_words.secrets(text)) == []


def test_nearly_every_random_word_is_found_and_says_little_of_itself() -> None:
    chance = random.Random(7)
    words = ["".join(chance.choices(string.ascii_letters + string.digits, k=40)) for _ in range(500)]
    found = [list(secret_words.secrets(word)) for word in words]
    assert sum(bool(one) for one in found) > 490
    assert all(word not in what for word, one in zip(words, found, strict=True) for _, what in one)


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        ("OSF_password", True),
        ("ApiToken", True),
        ("private_key", True),
        ("DB_PWD", True),
        ("LoginSecretName", False),
        ("SecretArn", False),
        ("TOKEN_FILE", False),
        ("KeyName", False),
        ("Monkey", False),
    ],
)
def test_a_name_that_only_says_where_a_secret_is_is_none(name: str, is_secret: bool) -> None:
    assert secret_words.is_named_like_a_secret(name) is is_secret
