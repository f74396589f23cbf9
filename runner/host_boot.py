"""Write the user data a fresh host boots with: its host key, its deadline.

The format is cloud-init's `#cloud-config` (modules ssh and runcmd). Where it is given a key, it generates none.
"""

from __future__ import annotations

import yaml


def render_user_data(*, host_key_private: str, host_key_public: str, lifetime_s: float, user: str = "ubuntu") -> str:
    """Give cloud-config text that pins the host's SSH key and powers the host off after `lifetime_s`.

    Root is shut out unless `user`, who logs in, is root. The host powers itself off even when nobody is left to
    terminate it; the instance is launched so that this ends it.
    """
    minutes = max(1, round(lifetime_s / 60))
    config = {
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": host_key_private, "ed25519_public": host_key_public},
        "disable_root": user != "root",
        "ssh_pwauth": False,
        "runcmd": [["shutdown", "-h", f"+{minutes}"]],
    }
    return "#cloud-config\n" + yaml.safe_dump(config, sort_keys=True)
