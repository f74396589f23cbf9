"""Say what is not so in the log."""

from __future__ import annotations

import os

_FLOOD_BYTES = 8 * 2**20
_CONTROLS = (
    "\x1b[2J\x1b[1;1H\x1b[31mowned\x1b[0m\x1b]0;owned\x07\x1b]8;;http://owned.invalid\x07here\x1b]8;;\x07"
    "\x9b31m\x08\x08\x7f\r\u202egnp.exe\u202c\u200b\U000e0041\x1b[?1049h\x1bP+q544e\x1b\\\x0e"
)
_TRACEBACK = """Traceback (most recent call last):
  File "/opt/rampart/bin/ramp-test", line 8, in <module>
    sys.exit(main())
  File "/opt/rampart/kits/iris/problem.py", line 12, in get_train_data
    raise RuntimeError("the kit's problem.py failed before the submission's code ran")
RuntimeError: the kit's problem.py failed before the submission's code ran
"""


def lie(token: str) -> int:
    """Print a flood between what is meant to be read; gives the exit code of a kit that is broken."""
    os.write(1, b"CV fold 0\n" + f"{token} begins {_CONTROLS}\n".encode())
    block = b"x" * 1023 + b"\n"
    for _ in range(_FLOOD_BYTES // 2**20):
        _write(block * 1024)
    os.write(1, f"\n{token} ends {_CONTROLS}\n{_TRACEBACK}".encode())
    return 1


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]
