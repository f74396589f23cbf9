"""Commands on this machine know no more of us than those on any other host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clients.local import LocalTransport

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "s3cret", "DATABASE_URL": "postgresql://ramp:s3cret@localhost/ramp",
    "SSH_AUTH_SOCK": "/s3cret", "PULUMI_CONFIG_PASSPHRASE": "s3cret", "PYTHONPATH": "/s3cret",
}  # fmt: skip


def test_a_command_gets_what_a_login_has_and_nothing_of_our_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    transport = LocalTransport(tmp_path)
    try:
        names = transport.run(["sh", "-c", "tr '\\0' '\\n' </proc/self/environ || env"]).text
    finally:
        transport.close()
    assert "s3cret" not in names
    assert f"HOME={tmp_path}" in names.splitlines()
    assert f"PATH={os.environ['PATH']}" in names.splitlines()
