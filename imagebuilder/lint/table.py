"""The table of all checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from contracts.findings import Level
from imagebuilder.lint import document_checks, download_checks, machine_checks, script_checks, secret_checks
from imagebuilder.lint.hits import Hit
from imagebuilder.lint.source import Source

Find = Callable[[Source], Iterator[Hit]]


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name in messages and comments, how bad it is, what it finds and why that matters."""

    name: str
    level: Level
    finds: str
    why: str
    find: Find | None = None
    """None for those that the linter itself makes."""


SCHEMA = "schema"
REFERENCE = "reference"
COMMENT = "lint-comment"

_E, _W = Level.ERROR, Level.WARNING

CHECKS: tuple[Check, ...] = (
    Check(
        SCHEMA, _E, "YAML, keys, actions, inputs, loops and conditions that AWSTOE does not know",
        "the build is refused, or fails when it comes to that step",
    ),
    Check(
        REFERENCE, _E, "`{{ }}` that is unquoted, unknown, names a later step, or reaches from build into test",
        "YAML reads an unquoted one as a mapping; an unknown one stays as it is in the script",
    ),
    Check(
        "too-long", _E, "more than 64,000 characters", "EC2 Image Builder does not take it",
        document_checks.too_long,
    ),
    Check(
        "not-inline", _W, "more than 16,000 characters", "EC2 Image Builder takes it from S3 only",
        document_checks.not_inline,
    ),
    Check(
        "missing-phase", _W, "a phase build without validate or without test", "what is installed must also be proved",
        document_checks.missing_phase,
    ),
    Check(
        "no-timeout", _W, "a step without timeoutSeconds, or with -1", "one that hangs costs two hours",
        document_checks.no_timeout,
    ),
    Check(
        "placeholder", _W, "a constant or default such as `$NAME` or `<name>`",
        "nobody fills it in: the script gets it as it is",
        document_checks.placeholder,
    ),
    Check(
        "unused-name", _W, "a constant or parameter that nothing refers to", "a misspelt reference hides behind it",
        document_checks.unused_name,
    ),
    Check(
        "secret-in-clear", _E, "passwords, tokens and keys in constants, defaults, scripts and inputs, by their name, "
        "form or entropy", "documents and their parameters can be read in the console and in CloudTrail",
        secret_checks.in_clear,
    ),
    Check(
        "secret-in-argv", _E, "`--password X`, `-H 'Authorization: ...'`, also from a variable",
        "every process on the machine reads arguments",
        secret_checks.in_argv,
    ),
    Check(
        "secret-in-log", _E, "`set -x` in a script that fetches a secret", "the build's log holds it afterwards",
        secret_checks.in_log,
    ),
    Check(
        "unpinned-download", _E, "curl, wget or WebDownload without a checksum that is compared",
        "the image holds what the server gave that day",
        download_checks.unpinned_download,
    ),
    Check(
        "moving-version", _W, "`latest`, git clone without a commit, pip and conda without versions",
        "the next build is another image, or fails",
        download_checks.moving_version,
    ),
    Check(
        "pipe-to-shell", _E, "`curl ... | bash` and its kin", "half a download is half a program, and it runs",
        download_checks.pipe_to_shell,
    ),
    Check(
        "unverified-server", _E, "curl -k, wget --no-check-certificate, pip --trusted-host and their kin",
        "anybody on the way can give the file",
        download_checks.unverified_server,
    ),
    Check(
        "curl-without-fail", _W, "curl without --fail", "a server's error page is kept as the file",
        download_checks.curl_without_fail,
    ),
    Check(
        "network-in-test", _E, "downloads and installs in the test phase", "a test that passes thanks to a download "
        "says nothing of the image",
        download_checks.network_in_test,
    ),
    Check(
        "shell-syntax", _E, "a quote or substitution that is never closed", "bash refuses the script",
        script_checks.shell_syntax,
    ),
    Check(
        "no-set-e", _E, "a script of several commands without `set -e` at its beginning",
        "a failed command goes unnoticed, and the image lacks something",
        script_checks.no_set_e,
    ),
    Check(
        "unquoted-in-shell", _W, "`{{ Name }}` outside of the shell's quotes",
        "a blank in the value makes it two words",
        script_checks.unquoted_reference,
    ),
    Check(
        "needless-sudo", _W, "sudo without -u", "every step runs as root",
        script_checks.needless_sudo,
    ),
    Check(
        "unset-home", _W, "`$HOME`, `$USER`, `$LOGNAME` that the script does not set", "the agent runs without a login",
        script_checks.unset_home,
    ),
    Check(
        "apt-asks", _W, "apt install and its kin without -y and DEBIAN_FRONTEND=noninteractive",
        "nobody is there to answer",
        machine_checks.apt_asks,
    ),
    Check(
        "reboot-without-194", _E, "reboot, shutdown -r and their kin in a script that never ends with 194",
        "Image Builder takes it for a lost instance",
        machine_checks.reboot_without_194,
    ),
    Check(
        "endless-reboot", _E, "exit 194 that every run of the script comes to", "the step runs again after the reboot",
        machine_checks.endless_reboot,
    ),
    Check(
        "open-permissions", _E, "chmod 777, a+w and their kin", "a submission may write there",
        machine_checks.open_permissions,
    ),
    Check(
        "removes-agent", _E, "removing or stopping amazon-ssm-agent", "it is what runs the component",
        machine_checks.removes_agent,
    ),
    Check(
        "fixed-user", _W, "`/home/ubuntu`, `sudo -u ubuntu` and other parent images' users", "another parent image has "
        "another one",
        machine_checks.fixed_user,
    ),
    Check(
        "old-driver", _W, "NVIDIA driver branches before 535",
        "they are no longer mended, and today's releases lack them",
        machine_checks.old_driver,
    ),
    Check(
        "conda-init", _W, "conda init", "it edits start files that neither scripts nor runs read",
        machine_checks.conda_init,
    ),
    Check(
        COMMENT, _W, "a comment `# lint: allow` without a reason, with an unknown check, or that allows nothing",
        "it would hide a fault that comes later",
    ),
)  # fmt: skip

BY_NAME = {check.name: check for check in CHECKS}
