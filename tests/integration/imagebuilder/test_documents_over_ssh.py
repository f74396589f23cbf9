"""A document runs over SSH on an instance as Image Builder runs it there: as root, across restarts, to its deadline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from clients import ssh
from contracts.errors import HostUnreachable
from contracts.work import HostAddress
from imagebuilder import documents
from imagebuilder.running import Execution, Failure, Machine, ask_to_restart, carry_out, life_of
from tests.integration.clouds import Cloud

DOCUMENT = """schemaVersion: 1.0
parameters:
  - Word: {type: string}
phases:
  - name: build
    steps:
      - name: AsRoot
        action: ExecuteBash
        inputs: {commands: ['id -u; pwd; echo "{{ Word }}"']}
      - name: Write
        action: CreateFile
        inputs:
          - {path: /opt/made/file, content: "by root", permissions: '0600'}
      - name: Hangs
        action: ExecuteBash
        timeoutSeconds: 1
        onFailure: Ignore
        inputs:
          commands: ['(setsid sleep 7777 &); env -u RAMPART_SCRIPT sudo -n sleep 7778 & sleep 7779']
      - name: NothingIsLeft
        action: ExecuteBash
        inputs: {commands: ["! grep -lz '777[789]' /proc/[0-9]*/cmdline 2> /dev/null"]}
      - name: Restart
        action: ExecuteBash
        inputs: {commands: ['[ -e /opt/made/restarted ] || { touch /opt/made/restarted; exit 194; }; echo again']}
  - name: validate
    steps:
      - name: Fails
        action: ExecuteBash
        inputs: {commands: ['cat /opt/made/file; echo; echo wrong >&2; exit 3']}
"""


@dataclass
class Instance:
    """One instance, with the connection that reaches it now."""

    address: HostAddress
    ssh_config: Path
    lives: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.transport = self._connected()

    def restart(self) -> ssh.SshTransport:
        """Restart it from inside, and come back to its next life."""
        self.lives.append(life_of(self.transport))
        ask_to_restart(self.transport)
        self.transport.close()
        while True:
            try:
                self.transport = self._connected()
                if life_of(self.transport) not in self.lives:
                    return self.transport
            except HostUnreachable:
                continue

    def _connected(self) -> ssh.SshTransport:
        return ssh.connect(self.address, ssh_config=self.ssh_config)


@pytest.fixture(scope="module")
def instance(cloud: Cloud) -> Iterator[Instance]:
    made = Instance(cloud.launch_known(), cloud.ssh_config)
    yield made
    made.transport.close()
    cloud.terminate(made.address.host_id)


def test_a_document_runs_to_its_failure_and_leaves_nothing_but_what_it_made(instance: Instance) -> None:
    log: list[str] = []
    document = documents.parse(DOCUMENT, Path("document.yml"))
    with Machine(instance.transport, restart=instance.restart) as machine:
        assert machine.login_home() == "/home/ubuntu"
        execution = Execution("part", document, machine, values={"Word": "it's"}, log=log.append)
        failure = carry_out([execution], ("build", "validate"), log.append)
    assert failure == Failure("part", "validate", "Fails", "ExecuteBash", "exit code 3", 3)
    assert sorted(line for line in log if line.startswith("Std")) == [
        "Stderr: wrong",
        *("Stdout: /tmp", "Stdout: 0", "Stdout: again", "Stdout: by root", "Stdout: it's"),
    ]
    assert "Step Hangs failed: timed out after 1 seconds" in log
    assert len(instance.lives) == 1
    assert "rampart." not in instance.transport.run(["ls", "/tmp"]).text
