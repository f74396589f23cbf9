"""What is looked at on a host of an image, and what makes an image unfit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import yaml

from clients.memory import Call, MemoryHost
from contracts.errors import BootTimeout, RampartError
from contracts.gpu import has_nvidia_gpu
from contracts.image import ImageCheck, ImageStatus, MachineImage, Provenance
from contracts.instance import Instance
from contracts.work import HostLayout
from imagebuilder import verify
from imagebuilder.ports import Rented, Transport

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
IMAGE = MachineImage("ami-1", "flowers-backend 2026-11-20T12-00-00Z", NOW, "available")
LAYOUT = HostLayout("/opt/rampart/kits/flowers", "/opt/rampart/kits/flowers", "/env/bin/python", "/env/bin/ramp-test")
PROVENANCE = Provenance(recipe="1.0.5", kit="4b2c", parent_image="ami-0")
KEY = yaml.safe_dump(
    {
        "ssh_keys": {
            "ed25519_private": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n",
            "ed25519_public": "ssh-ed25519 AAAA",
        }
    }
)

Answers = Callable[[list[str]], tuple[int, str]]


def test_a_host_that_has_everything_verifies_its_image() -> None:
    seen = look(healthy)
    assert seen.status is ImageStatus.VERIFIED
    assert (seen.boot_s, seen.provenance) == (12.5, PROVENANCE)
    assert [check.name for check in seen.checks] == [
        "answers over SSH",
        "files",
        "environment",
        "quick test",
        "submission user",
        "instance metadata",
        "user data",
        "credentials",
        "private",
    ]


@pytest.mark.parametrize(
    ("words", "answer", "name", "detail"),
    [
        (["for path; do"], (0, "/opt/rampart/kits/flowers/problem.py\n"), "files", "missing: /opt/rampart/kits"),
        (["import rampwf, problem"], (1, ""), "environment", "said on stderr"),
        (["--quick-test"], (1, "Traceback\n\x1b[31mValueError: no\n"), "quick test", "[31mValueError: no"),
        (["sudo", "-n", "true"], (0, ""), "submission user", "submission may use sudo"),
        (["api/token"], (0, "reached\ntokenless\n\n"), "instance metadata", "answers without a session token"),
        (["api/token"], (0, "reached\nrole\n\n"), "instance metadata", "gives credentials of an instance profile"),
        (["api/token"], (0, f"reached\n\n{KEY}\npassword: hunter2\n"), "user data", "holds a password"),
        ([".aws/credentials"], (0, "/root/.aws/credentials\n"), "credentials", "/root/.aws/credentials"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_with_a_host_is_named(words: list[str], answer: tuple[int, str], name: str, detail: str) -> None:
    def answers(argv: list[str]) -> tuple[int, str]:
        text = " ".join(argv)
        is_meant = all(word in text for word in words) and (words[0] != "sudo" or argv[-3:] == ["sudo", "-n", "true"])
        return answer if is_meant else healthy(argv)

    seen = look(answers)
    (failed,) = [check for check in seen.checks if not check.passed]
    assert failed.name == name
    assert detail in failed.detail
    assert seen.status is ImageStatus.REJECTED


def test_the_end_of_a_failed_quick_test_is_kept_without_control_sequences() -> None:
    def answers(argv: list[str]) -> tuple[int, str]:
        return (1, "one\n\x1b[31mtwo\n") if "--quick-test" in " ".join(argv) else healthy(argv)

    assert look(answers).log_tail == ("one", "[31mtwo")


def test_an_image_without_a_submission_user_is_tried_as_the_login_user() -> None:
    def answers(argv: list[str]) -> tuple[int, str]:
        return (1, "") if "submission" in argv and argv[0] == "sudo" else healthy(argv)

    checks = {check.name: check for check in look(answers).checks}
    assert checks["quick test"].detail == "starting_kit as ubuntu"
    assert checks["submission user"] == ImageCheck("submission user", True, "none, submissions run as ubuntu")


def test_a_gpu_is_asked_for_where_the_type_has_one() -> None:
    def blind(argv: list[str]) -> tuple[int, str]:
        if argv[0] == "nvidia-smi":
            return 0, "GPU 0: Tesla T4 (UUID: GPU-1)\n"
        return (1, "torch sees no GPU\n") if "tensorflow" in " ".join(argv) else healthy(argv)

    checks = {check.name: check for check in look(blind, instance_type="g4dn.xlarge").checks}
    assert checks["GPU driver"] == ImageCheck("GPU driver", True, "GPU 0: Tesla T4 (UUID: GPU-1)")
    assert checks["GPU framework"] == ImageCheck("GPU framework", False, "torch sees no GPU")


def test_an_image_anybody_may_launch_is_refused() -> None:
    image = MachineImage("ami-1", "flowers-backend", NOW, "available", is_public=True)
    assert look(healthy, image=image).status is ImageStatus.REJECTED


def test_a_host_without_the_challenge_is_refused_with_the_reason() -> None:
    def nothing(_: Transport) -> HostLayout:
        raise RampartError("the image has no challenge")

    seen = look(healthy, find_layout=nothing)
    assert ImageCheck("files", False, "the image has no challenge") in seen.checks
    assert seen.status is ImageStatus.REJECTED


def test_a_host_that_never_answered_is_told_as_such() -> None:
    seen = verify.unreached(BootTimeout("instance i-1 did not answer within 600 s"))
    assert seen.status is ImageStatus.REJECTED
    assert seen.checks[0].detail == "instance i-1 did not answer within 600 s"


@pytest.mark.parametrize(
    ("user_data", "secret"),
    [
        (f"#cloud-config\n{KEY}ssh_pwauth: false\n", ""),
        ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
        ("export AWS_KEY=AKIAIOSFODNN7EXAMPLE", "an AWS access key"),
        ("db: postgresql://ramp:letmein@db.example.org/ramp", "a password in an address"),
        ("OSF_TOKEN=0123456789", "a password"),
    ],
)
def test_secrets_in_user_data_are_named_the_host_key_aside(user_data: str, secret: str) -> None:
    assert verify.secret_in(user_data) == secret


@pytest.mark.parametrize(
    ("instance_type", "expected"),
    [
        *(("g4dn.xlarge", True), ("p5en.48xlarge", True), ("g6e.2xlarge", True), ("gr6.4xlarge", True)),
        *(("g4ad.xlarge", False), ("t3.large", False), ("inf2.xlarge", False), ("trn1.2xlarge", False)),
    ],
)
def test_types_with_a_gpu_of_nvidias_are_known_by_their_family(instance_type: str, expected: bool) -> None:
    assert has_nvidia_gpu(instance_type) is expected


def healthy(argv: list[str]) -> tuple[int, str]:
    """What a good image's host says."""
    text = " ".join(argv)
    if argv[0] == "cat":
        return 0, PROVENANCE.text()
    if argv[-3:] == ["sudo", "-n", "true"]:
        return 1, ""
    if "api/token" in text:
        return 0, f"reached\n\n#cloud-config\n{KEY}"
    if "import rampwf" in text:
        return 0, "3.12.3\n"
    return 0, ""


def look(
    answers: Answers,
    *,
    image: MachineImage = IMAGE,
    instance_type: str = "t3.small",
    find_layout: Callable[[Transport], HostLayout] = lambda _: LAYOUT,
) -> verify.Verification:
    def program(call: Call) -> int:
        code, out = answers(list(call.argv))
        call.out(out.encode())
        if code != 0:
            call.err(b"said on stderr" if not out else b"")
        return code

    names = ("sudo", "sh", "env", "cat", "id", "/env/bin/python", "nvidia-smi")
    host = MemoryHost(dict.fromkeys(names, program))
    instance = Instance("i-1", "running", "127.0.0.9", "ami-1", instance_type, NOW)
    rented = Rented(instance, "ssh-ed25519 AAAA", host.connect(), 12.5)
    wanted = verify.Wanted("starting_kit", "ubuntu", instance_type)
    return verify.verify(image, rented, wanted, find_layout=find_layout)
