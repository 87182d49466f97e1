"""ssh configuration, known hosts, and what makes the image a server."""

from __future__ import annotations

import base64
import re
import subprocess
from pathlib import Path

import pytest

from sriovctl.lab.access import credentials, known_hosts, ssh_config
from sriovctl.lab.layout import Server


def test_ssh_itself_reads_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "ssh_config"
    path.write_text(ssh_config("l", tmp_path, {"server-2": 2202, "server-3": 2203}))
    done = subprocess.run(
        ["ssh", "-G", "-F", path, "server-3"], capture_output=True, text=True, check=True
    )
    facts = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    assert facts["hostname"] == "127.0.0.1"
    assert facts["port"] == "2203"
    assert facts["user"] == "root"
    assert facts["stricthostkeychecking"] == "true"
    assert facts["userknownhostsfile"] == f"{tmp_path}/known_hosts"
    assert facts["identityfile"] == f"{tmp_path}/ssh_key"


def test_known_by_address_and_by_name() -> None:
    text = known_hosts({"server-2": 2202}, {"server-2": "ssh-ed25519 AAAA"})
    assert text == "[127.0.0.1]:2202,[server-2]:2202,server-2 ssh-ed25519 AAAA\n"


def test_credentials_name_address_and_keys() -> None:
    made = credentials("l", Server(3), "PRIVATE\n", "ssh-ed25519 HOST", "ssh-ed25519 USER")
    assert made["system.hostname"] == "server-3"
    assert re.fullmatch("[0-9a-f]{32}", made["system.machine_id"])
    files = {}
    for line in made["tmpfiles.extra"].splitlines():
        if line.startswith("f"):
            _, path, mode, owner, _, _, content = line.split()
            files[path] = (mode, owner, base64.b64decode(content).decode())
    assert files["/etc/ssh/ssh_host_ed25519_key"] == ("0600", "root", "PRIVATE\n")
    assert files["/root/.ssh/authorized_keys"][2] == "ssh-ed25519 USER\n"
    assert "Address=10.8.0.3/24" in files["/run/systemd/network/33-br0.network.d/lab.conf"][2]


@pytest.mark.parametrize(("lab", "number"), [("l", 3), ("m", 2)])
def test_machines_have_ids_of_their_own(lab: str, number: int) -> None:
    one = credentials("l", Server(2), "", "", "")["system.machine_id"]
    assert credentials(lab, Server(number), "", "", "")["system.machine_id"] != one
