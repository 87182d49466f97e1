"""How things are named in a rack file: ports, VFs, VMs, hosts, and what no name may be.

Each type here refuses what the kernel, libvirt or virsh would refuse or misread, in plain words,
and carries the pattern that editors check by.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

PCI_ADDRESS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\Z")
MAC_ADDRESS = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}\Z")
UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}\Z", re.IGNORECASE)
UNSET_MAC = "00:00:00:00:00:00"
"""What a VF reports that nobody has given an address; it cannot be set."""
LARGEST_VF_COUNT = 65535
"""NumVFs is a 16-bit register (PCI Express SR-IOV capability, offset 10h)."""
LONGEST_LIBVIRT_NAME = 250
"""Bytes. libvirt keeps a definition in ``<name>.xml``, and Linux allows 255 bytes (NAME_MAX)."""


def _one_line(text: str) -> str:
    if not text or text != text.strip():
        raise ValueError("a name is not empty and does not begin or end with a blank")
    if not text.isprintable():
        raise ValueError("a name has no newline, tab or other invisible character")
    return text


def _mac(text: str) -> str:
    address = text.lower().replace("-", ":")
    if not MAC_ADDRESS.match(address):
        raise ValueError("a MAC address is six pairs of hex digits, 52:54:00:12:34:56")
    if int(address[:2], 16) & 1:
        raise ValueError("this is a multicast address; a card's own has an even first byte")
    if address == UNSET_MAC:
        raise ValueError("the zero address cannot be set on a VF")
    return address


def _pci(text: str) -> str:
    address = text.lower()
    if re.match(r"[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\Z", address):
        address = f"0000:{address}"
    if not PCI_ADDRESS.match(address):
        raise ValueError("a PCI address looks like 0000:01:00.0")
    return address


def _port(text: str) -> str:
    for address in (_mac, _pci):
        try:
            return address(text)
        except ValueError:
            continue
    # Linux net/core/dev.c, dev_valid_name(): 15 bytes, no slash, no colon, no white space
    if (
        not 0 < len(text.encode()) <= 15
        or not text.isprintable()
        or re.search(r"[/:\s]", text)
        or text in (".", "..")
        or text.startswith("-")
    ):
        raise ValueError(
            "a port is named by interface name (at most 15 bytes, no blank, slash or colon), "
            "PCI address or MAC address"
        )
    return text


def _libvirt(text: str) -> str:
    _one_line(text)
    # libvirt refuses '/' and newlines in names of domains and networks (virXMLCheckIllegalChars)
    if "/" in text:
        raise ValueError("libvirt takes no slash in a name")
    if text.startswith("-"):
        raise ValueError("virsh would read a name that begins with - as an option")
    if UUID.match(text):
        raise ValueError("virsh would read this name as a UUID")
    if len(text.encode()) > LONGEST_LIBVIRT_NAME:
        raise ValueError(f"libvirt's file names leave {LONGEST_LIBVIRT_NAME} bytes for a name")
    return text


def _vm(text: str) -> str:
    # virsh(1): a domain is given by id, name or UUID, and the id is looked up first
    if re.match(r"[0-9]+\Z", text):
        raise ValueError("virsh would read a name of digits only as the number of a running VM")
    return _libvirt(text)


def _host(text: str) -> str:
    if not re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z", text):
        raise ValueError("a host's name is of letters, digits, dots, underscores and dashes")
    return text


def _address(text: str) -> str:
    if not re.match(r"[A-Za-z0-9:\[][A-Za-z0-9.:%_\[\]-]*\Z", text):
        raise ValueError("an address is a DNS name, an IPv4 or an IPv6 address")
    return text


def _user(text: str) -> str:
    if not re.match(r"[A-Za-z0-9_][A-Za-z0-9_.@\\$-]*\Z", text):
        raise ValueError("a user's name is of letters, digits and . _ - @ \\ $")
    return text


def sha256_digits(text: str) -> str:
    """A SHA-256 fingerprint as 64 hex digits, lower case.

    :param text: with or without colons and a leading ``sha256:``
    :raises ValueError: it is none
    """
    digits = text.lower().removeprefix("sha256:").replace(":", "").strip()
    if not re.match(r"[0-9a-f]{64}\Z", digits):
        raise ValueError("a SHA-256 fingerprint has 64 hex digits, with or without colons")
    return digits


def _password(text: str) -> str:
    if not re.match(f"{_REFERENCE}\\Z", text) or not text.isprintable():
        raise ValueError(
            "a password itself is not written here: put it into a file of mode 0600 and write "
            "file:PATH, or write env:NAME or keyring:SERVICE/USER"
        )
    return text


def _vf_range(text: str) -> str:
    match = re.match(r"([0-9]{1,5})(?:-([0-9]{1,5}))?\Z", text)
    if text == "all":
        return text
    if not match or int(match[2] or match[1]) < int(match[1]):
        raise ValueError("VFs are named all, by index (3) or by range (0-3)")
    return "-".join(str(int(index)) for index in match.groups() if index)


def _text_of_index(key: Any) -> Any:
    return str(key) if isinstance(key, int) and not isinstance(key, bool) else key


def _text(pattern: str, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, **more})


_MAC_PATTERN = "([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}"
_REFERENCE = "(env:[A-Za-z_][A-Za-z0-9_]*|file:.*[^/]|keyring:.+/[^/]+)"
_PCI_PATTERN = r"([0-9A-Fa-f]{4}:)?[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7]"

Mac = Annotated[
    str, AfterValidator(_mac), _text(f"^{_MAC_PATTERN}$", examples=["52:54:00:12:34:56"])
]
"""Unicast, not zero; lower case with colons once read."""
Pci = Annotated[str, AfterValidator(_pci), _text(f"^{_PCI_PATTERN}$", examples=["0000:01:00.0"])]
"""Lower case with the domain once read."""
PortName = Annotated[
    str,
    AfterValidator(_port),
    _text(rf"^({_MAC_PATTERN}|{_PCI_PATTERN}|[^-/:\s][^/:\s]{{0,14}})$", examples=["em1"]),
]
"""Interface name, PCI address or MAC address."""
LibvirtName = Annotated[str, AfterValidator(_libvirt), _text(r"^[^-/\s]([^/]*[^/\s])?$")]
"""Name of a libvirt network."""
VMName = Annotated[str, AfterValidator(_vm), _text(r"^[^-/\s]([^/]*[^/\s])?$")]
"""Name of a libvirt domain."""
HostName = Annotated[str, AfterValidator(_host), _text("^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Address = Annotated[str, AfterValidator(_address), _text(r"^[A-Za-z0-9:\[][A-Za-z0-9.:%_\[\]-]*$")]
UserName = Annotated[str, AfterValidator(_user), _text(r"^[A-Za-z0-9_][A-Za-z0-9_.@\\$-]*$")]
Label = Annotated[str, AfterValidator(_one_line), Field(min_length=1)]
"""A name of the operator's own, for a rack or a switch."""
FileName = Annotated[str, AfterValidator(_one_line), Field(min_length=1)]
"""Relative to the rack file, or absolute."""
Fingerprint = Annotated[
    str,
    AfterValidator(sha256_digits),
    _text(r"^\s*([Ss][Hh][Aa]256:)?([0-9A-Fa-f]:*){64}\s*$", examples=["9F:3A:…:07"]),
]
"""SHA-256 of a certificate; 64 digits, lower case, once read."""
PasswordReference = Annotated[
    str, AfterValidator(_password), _text(f"^{_REFERENCE}$", examples=["env:BMC_PASSWORD"])
]
"""Where a password is: ``env:NAME``, ``file:PATH``, ``keyring:SERVICE/USER``."""
VFRange = Annotated[
    str,
    BeforeValidator(_text_of_index),
    AfterValidator(_vf_range),
    _text("^(all|[0-9]{1,5}(-[0-9]{1,5})?)$"),
]
"""``all``, an index (``3``) or a range (``0-3``)."""


def vf_indices(text: str, vfs: int) -> range:
    """The VFs that ``all``, ``3`` or ``0-3`` means on a PF with so many VFs.

    :param text: a :data:`VFRange`
    :param vfs: how many VFs the PF is to have; matters for ``all`` only
    """
    if text == "all":
        return range(vfs)
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def same_name(name: str | int, written: str | int) -> bool:
    """Whether a key of a file is what the models call by this name: ``01:00.0``, ``3``."""
    if name == written or name == str(written):
        return True
    for read in (_port, _vf_range):
        try:
            if read(str(written)) == name:
                return True
        except ValueError:
            continue
    return False
