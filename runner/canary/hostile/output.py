"""Leave what a careless reader would fall for; each kind in an output folder of its own."""

from __future__ import annotations

import errno
import os
import stat

from runner.canary.hostile.trying import MADE, Plan, Stopped

_DEEP = 60
_SPARSE_BYTES = 2**40
_BLOCK = bytes(2**20)


def symlink(plan: Plan) -> str:
    """A link to a file of the host."""
    os.symlink("/etc/passwd", _inside(plan, "symlink", "scores.csv"))
    os.symlink("/", _inside(plan, "symlink", "fold_0"))
    return MADE + "links"


def hard_link(plan: Plan) -> str:
    """A second name for a file of the host, else for one of its own."""
    for number, path in enumerate((os.path.join(plan.other_submission, "estimator.py"), "/etc/hostname")):
        try:
            os.link(path, _inside(plan, "hard-link", f"taken_{number}"))
        except OSError:
            continue
        return MADE + f"a name for {path}"
    own = _inside(plan, "hard-link", "first")
    _put(own, b"x")
    os.link(own, _inside(plan, "hard-link", "second"))
    return MADE + "a second name for a file of its own"


def device(plan: Plan) -> str:
    """A device for the reader to open."""
    os.mknod(_inside(plan, "device", "scores.csv"), 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    return MADE + "a device"


def fifo(plan: Plan) -> str:
    """A pipe, which a reader would wait at for ever; a socket too."""
    os.mkfifo(_inside(plan, "fifo", "scores.csv"))
    return MADE + "a pipe"


def climbing(plan: Plan) -> str:
    """Names that climb where somebody splits them."""
    for name in ("..\\..\\..\\.ssh\\authorized_keys", ".. ", "...", "..%2f..%2fx"):
        _put(_inside(plan, "climbing", name), b"x")
    return MADE + "names with .. in them"


def absolute(plan: Plan) -> str:
    """The whole folder is a link to a place of its choice, so that what lies there is taken for its output."""
    key = plan.outputs["absolute"]
    os.symlink(plan.other_submission, os.path.join(_submissions(plan), key))
    return MADE + "a link in the place of its own folder"


def control_names(plan: Plan) -> str:
    """Names that draw on a terminal, or end a line."""
    for name in ("\x1b]0;owned\x07", "a\nb", "\u202egpj.exe"):
        _put(_inside(plan, "control-names", name), b"x")
    return MADE + "names with control sequences"


def option_names(plan: Plan) -> str:
    """Names that a careless command line takes for options."""
    for name in ("--checkpoint=1", "--checkpoint-action=exec=touch owned", "-rf", "fold_9 -o"):
        _put(_inside(plan, "option-names", name), b"x")
    return MADE + "names that look like options"


def deep(plan: Plan) -> str:
    """Folders in folders."""
    folder = _inside(plan, "deep", "a")
    os.makedirs(os.path.join(folder, *["d" * 60] * _DEEP), exist_ok=True)
    return MADE + "folders sixty deep"


def sparse(plan: Plan) -> str:
    """A file that claims a tebibyte."""
    path = _inside(plan, "sparse", "y_pred_test.npz")
    _put(path, b"")
    os.truncate(path, _SPARSE_BYTES)
    return MADE + "a file of 1 TiB without content"


def huge(plan: Plan) -> str:
    """One file that fills the disk."""
    path = os.path.join(plan.home, "huge")
    written = 0
    try:
        with open(path, "wb", buffering=0) as file:
            while written < 4 * plan.disk_bytes:
                written += file.write(_BLOCK)
    except OSError as error:
        os.unlink(path)
        if error.errno in (errno.EFBIG, errno.ENOSPC, errno.EDQUOT):
            raise Stopped(f"{os.strerror(error.errno)} after {written / 2**20:.0f} MiB") from error
        raise
    return f"wrote {written / 2**20:.0f} MiB into one file"


def fake_scores(plan: Plan) -> None:
    """Claim to be perfect, as ramp-test would write it."""
    folder = os.path.join(plan.own_folder, "training_output", "fold_0")
    os.makedirs(folder)
    table = "step,acc,time\ntrain,1.0,0.1\nvalid,1.0,0.1\ntest,1.0,0.1\n"
    _put(os.path.join(folder, "scores.csv"), table.encode())
    for name in ("train_time", "valid_time", "test_time"):
        _put(os.path.join(folder, name), b"0.1")
    bagged = b"step,n_bag,acc\nvalid,0,1.0\ntest,0,1.0\n"
    _put(os.path.join(folder, os.pardir, "bagged_scores.csv"), bagged)


def _submissions(plan: Plan) -> str:
    return os.path.join(plan.job_folder, "submissions")


def _inside(plan: Plan, kind: str, name: str) -> str:
    folder = os.path.join(_submissions(plan), plan.outputs[kind], "training_output")
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, name)


def _put(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
