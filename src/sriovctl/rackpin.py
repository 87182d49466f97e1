"""A BMC's fingerprint written into a rack file's text, all else as it was to the byte."""

from __future__ import annotations

from copy import deepcopy

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from sriovctl.yamltree import parse


def with_fingerprint(text: str, host: str, fingerprint: str) -> str | None:
    """A rack file's text with the fingerprint of a host's BMC, in the place of an old one.

    :param text: of a file that :func:`sriovctl.rackfile.load` takes
    :param host: one that has a ``bmc``
    :returns: None where the file is written so that it cannot be done by one line; by aliases, say
    """
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    body = text.removeprefix(mark)
    written = _written(body, host, fingerprint)
    if written is None:
        return None
    expected = deepcopy(parse(body).value)
    expected["hosts"][host]["bmc"]["fingerprint"] = fingerprint
    found = parse(written)
    return None if found.faults or found.value != expected else mark + written


def _written(text: str, host: str, fingerprint: str) -> str | None:
    bmc: Node | None = YAML(typ="rt", pure=True).compose(text)
    for key in ("hosts", host, "bmc"):
        bmc = _entry(bmc, key)[1]
    old = _entry(bmc, "fingerprint")[1]
    if old is not None:
        return text[: old.start_mark.index] + fingerprint + text[old.end_mark.index :]
    key_node, address = _entry(bmc, "address")
    if not isinstance(bmc, MappingNode) or key_node is None or address is None:
        return None
    line = f"fingerprint: {fingerprint}"
    end = address.end_mark.index
    if bmc.flow_style:
        return f"{text[:end]}, {line}{text[end:]}"
    stop = text.find("\n", end) + 1
    newline = "\r\n" if text[stop - 2 : stop] == "\r\n" else "\n"
    before = text[:stop] if stop else text + newline
    return f"{before}{' ' * key_node.start_mark.column}{line}{newline}{text[len(before) :]}"


def _entry(node: Node | None, key: str) -> tuple[Node | None, Node | None]:
    if isinstance(node, MappingNode):
        for name, value in node.value:
            if isinstance(name, ScalarNode) and name.value == key:
                return name, value
    return None, None
