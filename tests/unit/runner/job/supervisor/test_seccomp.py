"""What the filter of system calls refuses, by a machine that runs its program as the kernel does."""

from __future__ import annotations

import errno
import struct

import pytest

from runner.job.supervisor import seccomp

ALLOWED = 0
INTEL, ARM = (seccomp._OF_MACHINES[name] for name in ("x86_64", "aarch64"))


def answer(calls: seccomp._Calls, number: int, *arguments: int, architecture: int | None = None) -> int:
    """The error that a call ends with; 0 where it is allowed."""
    told = struct.pack("IIQ", number, architecture or calls.architecture, 0)
    told += struct.pack("6Q", *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    lines = list(struct.iter_unpack("HBBI", seccomp.program(calls)))
    at = held = 0
    while True:
        code, if_true, if_false, operand = lines[at]
        at += 1
        if code == 0x20:
            (held,) = struct.unpack_from("I", told, operand)
        elif code == 0x06:
            return 0 if operand == 0x7FFF0000 else operand & 0xFFFF
        else:
            holds = {0x15: held == operand, 0x35: held >= operand, 0x45: bool(held & operand)}[code]
            at += if_true if holds else if_false


@pytest.mark.parametrize("calls", [INTEL, ARM])
def test_calls_into_the_kernels_own_affairs_are_refused(calls: seccomp._Calls) -> None:
    names = ("ptrace", "mount", "keyctl", "bpf", "init_module", "setns", "process_vm_readv")
    assert {answer(calls, calls.refused[name]) for name in names} == {errno.EPERM}
    assert {answer(calls, number) for number in (425, 426, 427, 429, 442)} == {errno.EPERM}


@pytest.mark.parametrize("calls", [INTEL, ARM])
def test_threads_are_made_and_namespaces_are_not(calls: seccomp._Calls) -> None:
    for number in calls.with_flags:
        assert answer(calls, number, 0x003D0F00) == ALLOWED
        assert answer(calls, number, 0x10000000 | 0x00000100) == errno.EPERM
    assert answer(calls, 435) == errno.ENOSYS


@pytest.mark.parametrize("calls", [INTEL, ARM])
def test_a_file_gets_any_mode_but_its_owners_rights(calls: seccomp._Calls) -> None:
    for number, place in calls.with_mode.items():
        before = (0o6755,) * place  # what else is told matters nothing
        assert answer(calls, number, *before, 0o1777) == ALLOWED
        assert answer(calls, number, *before, 0o4755) == errno.EPERM
        assert answer(calls, number, *before, 0o2644) == errno.EPERM
    assert answer(calls, 437) == errno.ENOSYS


@pytest.mark.parametrize("calls", [INTEL, ARM])
@pytest.mark.parametrize(("family", "error"), [(1, 0), (2, 0), (10, 0), (16, 97), (17, 97), (38, 97), (40, 97)])
def test_sockets_speak_ip_or_to_processes_of_the_job(calls: seccomp._Calls, family: int, error: int) -> None:
    assert answer(calls, calls.socket, family) == error


def test_calls_of_another_architecture_are_refused() -> None:
    assert answer(INTEL, 39) == ALLOWED
    assert answer(INTEL, 39, architecture=0x40000003) == errno.EPERM  # as 32-bit programs make them
    assert answer(INTEL, 39 | 0x40000000) == errno.EPERM  # x32
    assert answer(ARM, 172) == ALLOWED
    assert answer(ARM, 172, architecture=0x40000028) == errno.EPERM
