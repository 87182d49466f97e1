"""Inventories that others keep: hosts, groups and the way to each, from Ansible or pyinfra.

Ansible's YAML and INI are read here: its own reader is the whole of ansible-core, and the small
ones on PyPI are not kept up. What only Ansible can work out (plugins, scripts, templates, vaults)
it writes as JSON, which is read too: ``ansible-inventory -i X --list``.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sriovctl.errors import UsageError
from sriovctl.inventoryfacts import Inventory, Known
from sriovctl.shell import command
from sriovctl.yamltree import parse

LARGEST_FILE = 16 << 20
"""Bytes; an inventory of some 100,000 hosts."""
MOST_HOSTS = 100_000

ADDRESS = ("ansible_host", "ansible_ssh_host")
PORT = ("ansible_port", "ansible_ssh_port")
USER = ("ansible_user", "ansible_ssh_user")
CONNECTION = "ansible_connection"


def read(path: Path) -> Inventory:
    """Read an inventory: ``.py`` is pyinfra's, all else Ansible's, by what it looks like.

    :raises UsageError: it cannot be read, or says what cannot be
    """
    if path.is_dir():
        raise _for_ansible(path, "is a directory")
    if path.suffix == ".py":
        from sriovctl.fleet import inventory as pyinfras

        return pyinfras.read(path)
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
        text = data.decode()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "", "name an inventory") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text", "", "name an inventory") from None
    if len(data) > LARGEST_FILE:
        raise UsageError(f"{path} is larger than {LARGEST_FILE >> 20} MiB", "this is no inventory")
    if text.startswith("#!"):
        raise _for_ansible(path, "is a program")
    groups = _Groups(path)
    if path.suffix == ".json" or text.lstrip().startswith("{"):
        groups.read_tree(_json(path, text))
    elif path.suffix in (".yml", ".yaml") or re.search(r"\A(\s*#.*\n|\s*\n)*(---|\w+:\s*\n)", text):
        groups.read_tree(_yaml(path, text))
    else:
        _read_ini(groups, text)
    return groups.inventory()


@dataclass
class _Group:
    """One group as it is written."""

    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)


class _Groups:
    """An inventory as it is written, whatever its form."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._groups: dict[str, _Group] = {"all": _Group()}
        self._variables: dict[str, dict[str, Any]] = {}
        """Of a host, wherever they are written."""

    def wrong(self, found: str, mend: str = "") -> UsageError:
        return UsageError(f"{self._path}: {found}", "no host was asked", mend)

    def group(self, name: str) -> _Group:
        return self._groups.setdefault(name, _Group())

    def add_host(self, group: str, pattern: str, variables: Mapping[str, Any]) -> None:
        """A host or a range of them into a group."""
        name, port = _without_port(pattern)
        own = dict(variables) if port is None else {PORT[0]: port, **variables}
        for host in _ranged(name, self.wrong):
            self.group(group).hosts[host] = {}
            before = self._variables.setdefault(host, {})
            if len(self._variables) > MOST_HOSTS:
                raise self.wrong(f"more than {MOST_HOSTS} hosts")
            for key, value in own.items():
                if before.setdefault(key, value) != value and key in ADDRESS + PORT + USER:
                    raise self.wrong(
                        f"{host} is named twice, with {key} {before[key]} and {value}",
                        "say it once",
                    )

    def read_tree(self, tree: object) -> None:
        """YAML, and what ``ansible-inventory --list`` prints, which is much the same."""
        if not isinstance(tree, dict):
            raise self.wrong("not an inventory: groups with hosts", "look at its first lines")
        meta = tree.get("_meta")
        told = meta.get("hostvars") if isinstance(meta, dict) else None
        for name, body in tree.items():
            if name != "_meta":
                self._read_group(str(name), body, told if isinstance(told, dict) else {})

    def _read_group(self, name: str, body: object, told: Mapping[Any, Any]) -> None:
        group = self.group(name)
        if body is None:
            return
        if not isinstance(body, dict) or not body.keys() <= {"hosts", "children", "vars"}:
            raise self.wrong(f"the group {name!r} has other keys than hosts, children and vars")
        group.variables |= _mapping(body.get("vars"))
        for host, own in _mapping(body.get("hosts")).items():
            self.add_host(name, host, _mapping(own) | _mapping(told.get(host)))
        for child, inner in _mapping(body.get("children")).items():
            group.children[child] = None
            self._read_group(child, inner, told)

    def inventory(self) -> Inventory:
        """All of it, every host with what its groups say of it."""
        for name in [name for name in self._groups if name != "all"]:
            if not any(name in group.children for group in self._groups.values()):
                self._groups["all"].children[name] = None
        members: dict[str, dict[str, None]] = {name: {} for name in self._groups}
        inherited: dict[str, dict[str, Any]] = {host: {} for host in self._variables}
        for name, above in self._from_above("all", ()):
            group = self._groups[name]
            beside = _variable_files(self._path, "group_vars", name)
            for host in self._below(name):
                inherited[host] |= group.variables | beside
                for each in (*above, name):
                    members[each][host] = None
        hosts = {
            host: self._known(
                host,
                inherited[host] | own | _variable_files(self._path, "host_vars", host),
            )
            for host, own in self._variables.items()
        }
        return Inventory(
            hosts,
            {group: tuple(h for h in hosts if h in found) for group, found in members.items()},
        )

    def _from_above(
        self, name: str, above: tuple[str, ...]
    ) -> Iterator[tuple[str, tuple[str, ...]]]:
        """A group and those below it, parents first: what a child says goes before them."""
        if name in above:
            raise self.wrong(f"the group {name!r} is part of itself")
        yield name, above
        for child in sorted(self._groups[name].children):
            self.group(child)
            yield from self._from_above(child, (*above, name))

    def _below(self, name: str) -> Iterator[str]:
        for group, _ in self._from_above(name, ()):
            yield from self._groups[group].hosts

    def _known(self, name: str, variables: Mapping[str, Any]) -> Known:
        def first(keys: tuple[str, ...]) -> str | None:
            value = next((variables[key] for key in keys if variables.get(key) is not None), None)
            if value is not None and ("{{" in str(value) or not isinstance(value, str | int)):
                raise _for_ansible(self._path, f"has a template for {keys[0]} of {name}")
            return None if value is None else str(value)

        port = first(PORT)
        if port is not None and not (port.isdecimal() and 0 < int(port) < 65536):
            raise self.wrong(f"the port of {name} is {port!r}", "a number from 1 to 65535")
        here = first((CONNECTION,)) == "local"
        return Known(
            name=name,
            address="local" if here else first(ADDRESS),
            port=None if port is None else int(port),
            user=first(USER),
        )


def _read_ini(groups: _Groups, text: str) -> None:
    """Ansible's INI: sections of hosts, of ``:children``, of ``:vars``."""
    name, kind = "ungrouped", "hosts"
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        section = re.fullmatch(r"\[([^\]:]+)(?::(hosts|children|vars))?\]\s*([#;].*)?", line)
        if section:
            name, kind = section[1].strip(), section[2] or "hosts"
            groups.group(name)
            continue
        if kind == "vars":
            key, found, value = line.partition("=")
            if not found:
                raise groups.wrong(f"line {number}: {line!r} is no variable", "name=value")
            groups.group(name).variables[key.strip()] = value.strip().strip("'\"")
            continue
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise groups.wrong(f"line {number}: {error}") from None
        if kind == "children":
            groups.group(name).children[words[0]] = None
            groups.group(words[0])
            continue
        if bad := [word for word in words[1:] if "=" not in word]:
            raise groups.wrong(f"line {number}: {bad[0]!r} is no variable", "name=value")
        groups.add_host(name, words[0], dict(word.split("=", 1) for word in words[1:]))


def _without_port(pattern: str) -> tuple[str, str | None]:
    """``web:2222`` is a host and its port; an IPv6 address is one only in brackets."""
    match = re.fullmatch(r"\[([0-9a-fA-F:]*:[0-9a-fA-F:]*:[^\]]*)\](?::(\d+))?", pattern)
    match = match or re.fullmatch(r"((?:[^:\[\]]|\[[^\]]*\])+):(\d+)", pattern)
    return (pattern, None) if match is None else (match[1], match[2])


def _ranged(pattern: str, wrong: Any) -> Iterator[str]:
    """Ansible's ``web[01:10]``, ``db-[a:f]``, ``x[0:9:3]``."""
    match = re.search(r"\[(\w+):(\w+)(?::(\d+))?\]", pattern)
    if match is None:
        yield pattern
        return
    first, last, step = match[1], match[2], int(match[3] or 1)
    if first.isdecimal() and last.isdecimal() and step:
        width = len(first) if first.startswith("0") else 1
        numbers = range(int(first), int(last) + 1, step)
        if len(numbers) > MOST_HOSTS:
            raise wrong(f"{pattern} is {len(numbers)} hosts")
        items = [f"{number:0{width}}" for number in numbers]
    elif len(first) == len(last) == 1 and step:
        items = [chr(code) for code in range(ord(first), ord(last) + 1, step)]
    else:
        items = []
    if not items:
        raise wrong(f"the range {match[0]} has nothing in it")
    for item in items:
        for rest in _ranged(pattern[match.end() :], wrong):
            yield pattern[: match.start()] + item + rest


def _variable_files(path: Path, folder: str, name: str) -> dict[str, Any]:
    """What ``group_vars`` and ``host_vars`` beside the inventory say. An encrypted file is left
    out: the way to a host is no secret."""
    place = path.parent / folder / name
    files = sorted(place.glob("*")) if place.is_dir() else [place]
    files += [place.with_name(f"{name}{suffix}") for suffix in (".yml", ".yaml", ".json")]
    variables: dict[str, Any] = {}
    for file in files:
        if file.is_file():
            text = file.read_text("utf-8")
            if not text.startswith("$ANSIBLE_VAULT"):
                variables |= _mapping(_yaml(file, text))
    return variables


def _mapping(value: object) -> dict[str, Any]:
    """A mapping; of a list, as ``ansible-inventory`` writes hosts, one with nothing in it."""
    if isinstance(value, list):
        return {str(item): None for item in value}
    return {str(key): inner for key, inner in value.items()} if isinstance(value, dict) else {}


def _yaml(path: Path, text: str) -> object:
    # tags such as !vault are for variables that are not the way to a host
    tree = parse(re.sub(r"!(vault|unsafe)\b", "", text))
    if tree.value is None and tree.faults:
        fault = tree.faults[0]
        raise UsageError(f"{path}:{fault.mark.line}:{fault.mark.column}: {fault.found}")
    return tree.value


def _json(path: Path, text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None


def _for_ansible(path: Path, why: str) -> UsageError:
    return UsageError(
        f"{path} {why}",
        "only Ansible itself can say which hosts that is",
        f"{command('ansible-inventory', '-i', str(path), '--list')} > hosts.json, then "
        "--inventory hosts.json",
    )
