"""A rack file, read and refused: every error with file, line, column, key, found and allowed."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from sriovctl.contradictions import contradictions
from sriovctl.domainfile import faults_of_domain
from sriovctl.errors import RackError
from sriovctl.explain import explain, quoted, spoken
from sriovctl.guestbond import networks_of
from sriovctl.names import same_name
from sriovctl.rack import Host, Rack
from sriovctl.rackinside import faults_of_inside
from sriovctl.rackport import pool_name
from sriovctl.racktemplate import expand
from sriovctl.selection import chosen
from sriovctl.wanted import HostWant
from sriovctl.yamltree import Fault, Mark, Place, Tree, mark_at, parse

LARGEST_FILE = 1 << 20
"""Bytes, some 20,000 VMs. ruamel.yaml reads 0.1 MB a second, so this bounds the time too."""
MOST_FAULTS = 20
"""Errors shown at once."""


def load(path: Path) -> Rack:
    """Read a rack file.

    :raises RackError: with all that is wrong with the file, sorted by line, at most
        :data:`MOST_FAULTS` of it
    """
    data = _bytes_of(path)
    try:
        text = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        found = f"the byte 0x{data[error.start]:02x}, which is no UTF-8"
        at = mark_at(before, len(before))
        raise _refused(path, [Fault(at, (), found, "save the file as UTF-8")]) from None
    written = parse(text)
    tree = expand(written)
    if len(tree.faults) > len(written.faults):
        raise _refused(path, tree.faults)
    rack, faults = _read(tree, path.parent)
    if rack is None:
        raise _refused(path, faults)
    return rack


def wants(path: Path, limit: Iterable[str] | None = None) -> tuple[HostWant, ...]:
    """What a rack file wants of its hosts; see :func:`hosts_of`."""
    return tuple(want for want, _ in hosts_of(path, limit))


def hosts_of(
    path: Path,
    limit: Iterable[str] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
) -> tuple[tuple[HostWant, Host], ...]:
    """What a rack file wants of its hosts, and how each is reached, in the order asked for.

    :param limit: names, groups or patterns, see :func:`sriovctl.selection.chosen`; None: all, in
        the file's order
    :param groups: hosts by group, beside the file's own groups
    :raises RackError: as :func:`load`
    :raises UsageError: for what means no host of the file
    """
    rack = load(path)
    members: dict[str, list[str]] = {
        group: [name for name in names if name in rack.hosts]
        for group, names in (groups or {}).items()
    }
    for name, host in rack.hosts.items():
        for group in host.groups:
            members.setdefault(group, []).append(name)
    names = chosen(limit, list(rack.hosts), members, str(path))
    try:
        return tuple((rack.want(name, path.parent), rack.hosts[name]) for name in names)
    except OSError as error:
        raise RackError(f"{error.filename}: {error.strerror}", f"named in {path}") from error


def _bytes_of(path: Path) -> bytes:
    mend = "name a rack file, or write a first one: sriovctl init"
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            raise RackError(f"{path} is a directory", "a rack file is one YAML file", mend)
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise RackError(f"no file {path}", "", mend) from None
    except PermissionError:
        raise RackError(f"{path} may not be read", "", f"ls -l {path}") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise RackError(f"{str(path)!r} cannot be read: {why}", "", mend) from None
    if len(data) > LARGEST_FILE:
        raise RackError(
            f"{path} is larger than {LARGEST_FILE >> 20} MiB",
            "this is no rack file, or one that should be split by room",
            mend,
        )
    return data


def _read(tree: Tree, folder: Path) -> tuple[Rack | None, list[Fault]]:
    """The rack, or what is wrong."""
    if tree.value is None:
        empty = Fault(Mark(1, 1), (), "nothing in the file", "at least hosts with their pfs")
        return None, tree.faults or [empty]
    if not isinstance(tree.value, dict):
        found = quoted(tree.value)
        return None, [Fault(Mark(1, 1), (), found, "a mapping with the key hosts at its top")]
    try:
        rack = Rack.model_validate(tree.value)
    except ValidationError as error:
        faults = [
            Fault(
                (tree.keys if wrong.at_key else tree.values)[wrong.place],
                wrong.place,
                wrong.found,
                wrong.allowed,
            )
            for wrong in explain(error, tree, Rack.model_json_schema())
        ]
        return None, tree.faults + faults
    faults = [*tree.faults, *_contradictions(rack, tree)]
    if not faults:
        faults = [
            *_domains(rack, tree, folder),
            *_inside(rack, tree),
            *_authorities(rack, tree, folder),
        ]
    return (None, faults) if faults else (rack, [])


def _contradictions(rack: Rack, tree: Tree) -> Iterator[Fault]:
    for place, message in contradictions(rack):
        known = _as_written(place, tree)
        yield Fault(tree.values[known], known, message)


def _as_written(place: Place, tree: Tree) -> Place:
    """The part of a place that the file has, its keys as the file spells them."""
    written: list[str | int] = []
    value = tree.value
    for key in place:
        if isinstance(value, dict):
            spelt = [known for known in value if same_name(key, known)]
            if not spelt:
                break
            written.append(key if key in spelt else spelt[0])
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            written.append(key)
        else:
            break
        value = value[written[-1]]
    return tuple(written)


def _domains(rack: Rack, tree: Tree, folder: Path) -> Iterator[Fault]:
    for vm, guest in rack.vms.items():
        if guest.domain is None:
            continue
        ports = rack.hosts[rack.host_of(vm)].pfs
        pools = {pool for name, port in ports.items() if (pool := pool_name(name, port))}
        place = ("vms", vm, "domain")
        for message in faults_of_domain(folder / guest.domain, vm, pools):
            yield Fault(tree.values[place], place, message)


def _inside(rack: Rack, tree: Tree) -> Iterator[Fault]:
    for vm, guest in rack.vms.items():
        for key, message in (
            faults_of_inside(guest.inside, networks_of(rack, vm)) if guest.inside else ()
        ):
            place = ("vms", vm, "inside", key)
            yield Fault(tree.values[place], place, message)


def _authorities(rack: Rack, tree: Tree, folder: Path) -> Iterator[Fault]:
    for name, host in rack.hosts.items():
        if host.bmc is None or host.bmc.authority is None:
            continue
        import ssl

        place = ("hosts", name, "bmc", "authority")
        path = folder / host.bmc.authority
        try:
            ssl.create_default_context(cafile=path)
        except ssl.SSLError:
            yield Fault(tree.values[place], place, f"{path}: no certificate in PEM form")
        except OSError as error:
            yield Fault(tree.values[place], place, f"{path}: {error.strerror}")


def _refused(path: Path, faults: list[Fault]) -> RackError:
    # what a template made many times is wrong once
    once = {(fault.mark, fault.found): fault for fault in reversed(faults)}.values()
    ordered = sorted(once, key=lambda fault: fault.mark)
    lines = [_line(path, fault) for fault in ordered[:MOST_FAULTS]]
    if len(ordered) > MOST_FAULTS:
        lines.append(f"… and {len(ordered) - MOST_FAULTS} more")
    return RackError("\n".join(lines), "nothing was changed", f"edit {path} there")


def _line(path: Path, fault: Fault) -> str:
    where = f"{path}:{fault.mark.line}:{fault.mark.column}"
    said = [where, *([spoken(fault.place)] if fault.place else []), fault.found]
    return ": ".join(said) + (f" ({fault.allowed})" if fault.allowed else "")
