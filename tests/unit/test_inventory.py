"""Ansible's and pyinfra's inventories: the same room, written in each way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sriovctl import targets
from sriovctl.errors import UsageError
from sriovctl.inventory import read
from sriovctl.inventoryfacts import Inventory, Known

INI = """\
# a room
alone ansible_host=10.7.0.9

[web]
web[01:03]:2222 ansible_user=bob  # who logs in

[db]
db-[a:b] ansible_port=22
here ansible_connection=local

[room:children]
web
db

[room:vars]
ansible_user=admin
other = "x y"
"""
YAML = """\
all:
  hosts:
    alone: {ansible_host: 10.7.0.9}
  children:
    room:
      vars: {ansible_user: admin, secret: !vault "1234"}
      children:
        web:
          hosts:
            web[01:03]: {ansible_user: bob, ansible_port: 2222}
        db:
          hosts:
            db-[a:b]: {ansible_port: 22}
            here: {ansible_connection: local}
"""
LISTED = {
    "_meta": {
        "hostvars": {
            "alone": {"ansible_host": "10.7.0.9"},
            **{
                f"web0{number}": {"ansible_user": "bob", "ansible_port": 2222}
                for number in (1, 2, 3)
            },
            **{f"db-{x}": {"ansible_user": "admin", "ansible_port": 22} for x in "ab"},
            "here": {"ansible_user": "admin", "ansible_connection": "local"},
        }
    },
    "all": {"children": ["ungrouped", "room"]},
    "ungrouped": {"hosts": ["alone"]},
    "room": {"children": ["db", "web"]},
    "web": {"hosts": ["web01", "web02", "web03"]},
    "db": {"hosts": ["db-a", "db-b", "here"]},
}
FORMS = {"hosts": INI, "hosts.ini": INI, "hosts.yml": YAML, "hosts.json": json.dumps(LISTED)}


def written(folder: Path, name: str, text: str) -> Inventory:
    (folder / name).write_text(text)
    return read(folder / name)


@pytest.mark.parametrize("name", FORMS)
def test_the_same_room(tmp_path: Path, name: str) -> None:
    found = written(tmp_path, name, FORMS[name])
    assert dict(found.hosts) == {
        "alone": Known("alone", "10.7.0.9"),
        **{f"web0{n}": Known(f"web0{n}", None, 2222, "bob") for n in (1, 2, 3)},
        **{f"db-{x}": Known(f"db-{x}", None, 22, "admin") for x in "ab"},
        "here": Known("here", "local", None, "admin"),
    }
    assert sorted(found.groups["room"]) == ["db-a", "db-b", "here", "web01", "web02", "web03"]
    assert sorted(found.groups["all"]) == sorted(found.hosts)


def test_variables_beside_it(tmp_path: Path) -> None:
    for folder, name, text in (
        ("group_vars", "all.yml", "ansible_user: everybody\nansible_port: 1\n"),
        ("group_vars", "web", "ansible_user: web\n"),
        ("group_vars/db", "x.yml", "$ANSIBLE_VAULT;1.1;AES256\n00\n"),
        ("host_vars", "b.yaml", "ansible_host: 10.0.0.2\n"),
    ):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / name).write_text(text)
    found = written(tmp_path, "hosts.ini", "[web]\na\n[db]\nb\n").hosts
    assert found["a"] == Known("a", None, 1, "web")
    assert found["b"] == Known("b", "10.0.0.2", 1, "everybody")


WRONG = {
    "two addresses": ("hosts", "[a]\nx ansible_host=1\n[b]\nx ansible_host=2\n", "named twice"),
    "a loop": ("hosts", "[a:children]\nb\n[b:children]\na\n[c:children]\na\n", "part of itself"),
    "no variable": ("hosts", "x y z\n", "line 1: 'y' is no variable"),
    "quotes": ("hosts", "x a='b\n", "line 1: No closing quotation"),
    "a port that is none": ("hosts", "x ansible_port=ssh\n", "the port of x is 'ssh'"),
    "a template": ("hosts", "x ansible_host={{y}}\n", "ansible-inventory -i"),
    "a program": ("hosts", "#!/bin/sh\necho '{}'\n", "ansible-inventory -i"),
    "too many": ("hosts", "x[1:999999]\n", "999999 hosts"),
    "backwards": ("hosts", "x[9:1]\n", "nothing in it"),
    "a list": ("hosts.yml", "- a\n- b\n", "not an inventory"),
    "other keys": ("hosts.yml", "all:\n  host: {a: {}}\n", "other keys"),
    "broken": ("hosts.yml", "all: [\n", "hosts.yml:2:1"),
    "broken JSON": ("hosts.json", "{", "hosts.json"),
    "no text": ("hosts.py", "web = [\n", "pyinfra cannot load it"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be(tmp_path: Path, name: str) -> None:
    file, text, said = WRONG[name]
    if file.endswith(".py"):
        done = in_another_process(tmp_path, text)
        assert said in done.stderr
        return
    with pytest.raises(UsageError, match=r".") as caught:
        written(tmp_path, file, text)
    assert said in str(caught.value)


def in_another_process(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """pyinfra makes a whole process's sockets gevent's."""
    (folder / "inventory.py").write_text(text)
    script = (
        "import sys; from pathlib import Path; from sriovctl.inventory import read\n"
        "found = read(Path(sys.argv[1])); print(*found.hosts.values(), found.groups['web'])"
    )
    return subprocess.run(
        [sys.executable, "-c", script, folder / "inventory.py"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_pyinfras_own(tmp_path: Path) -> None:
    (tmp_path / "group_data").mkdir()
    (tmp_path / "group_data" / "web.py").write_text("ssh_user = 'admin'\n")
    text = "web = [('w1', {'ssh_hostname': '10.0.0.1', 'ssh_port': 2201}), '@ssh/w2']\n"
    done = in_another_process(tmp_path, text)
    assert done.stdout.strip() == (
        f"{Known('w1', '10.0.0.1', 2201, 'admin')} {Known('w2', None, None, 'admin')} ('w1', 'w2')"
    ), done.stderr
    assert "not reached by ssh" in in_another_process(tmp_path, "web = ['@docker/x']\n").stderr


def test_the_rack_file_goes_before_the_inventory(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text(
        "[row]\na ansible_host=10.0.0.1 ansible_user=x\nb ansible_host=10.0.0.2\nz\n"
    )
    rack = tmp_path / "rack.yaml"
    rack.write_text("hosts: {a: {user: root, pfs: {em1: 7}}, b: {pfs: {em1: 7}}}\n")
    inventory = str(tmp_path / "hosts")
    a, b = targets.of_rack(str(rack), ["row"], inventory)
    assert (a.address, a.user) == ("10.0.0.1", "root")
    assert (b.address, b.user) == ("10.0.0.2", None)
    assert [t.name for t in targets.of_inventory(inventory, ["b", "z"])] == ["b", "z"]
    (tmp_path / "hosts").write_text("other\n")
    with pytest.raises(UsageError, match="knows none of the hosts"):
        targets.of_rack(str(rack), None, inventory)


def test_one_machine_under_two_names(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("a ansible_host=10.0.0.1\nb ansible_host=10.0.0.1\n")
    with pytest.raises(UsageError, match="a and b are one machine"):
        targets.of_inventory(str(tmp_path / "hosts"), None)
