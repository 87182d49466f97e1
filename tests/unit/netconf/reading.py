"""What each system's files say of a bond, read back with a reader of that format into the kernel's
words. The words are spelled out here once more, from each system's own manual."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from ruamel.yaml import YAML

from sriovctl.netconf import File, System

Sections = dict[str, list[tuple[str, str]]]

NETWORKD = {
    "Mode": "mode",
    "MIIMonitorSec": "miimon",
    "UpDelaySec": "updelay",
    "DownDelaySec": "downdelay",
    "ARPIntervalSec": "arp_interval",
    "ARPIPTargets": "arp_ip_target",
    "ARPValidate": "arp_validate",
    "FailOverMACPolicy": "fail_over_mac",
    "GratuitousARP": "num_grat_arp",
}
NETPLAN = {
    "mode": "mode",
    "mii-monitor-interval": "miimon",
    "up-delay": "updelay",
    "down-delay": "downdelay",
    "arp-interval": "arp_interval",
    "arp-ip-targets": "arp_ip_target",
    "arp-validate": "arp_validate",
    "fail-over-mac-policy": "fail_over_mac",
    "gratuitous-arp": "num_grat_arp",
    "primary": "primary",
}


def sections_of(text: str) -> Sections:
    """An ini file: keys may stand twice, and a section may too."""
    found: Sections = {}
    here: list[tuple[str, str]] = []
    for line in text.splitlines():
        if line.startswith("["):
            here = found.setdefault(line.strip("[]"), [])
        elif line:
            key, _, value = line.partition("=")
            here.append((key, value))
    return found


def variables_of(text: str) -> dict[str, str]:
    """A file of shell assignments, as initscripts source it."""
    return dict(word.partition("=")[::2] for word in shlex.split(text))


def file_of(files: Iterable[File], end: str) -> File:
    (found,) = (file for file in files if file.path.endswith(end))
    return found


def networkd_options(files: Iterable[File], bond: str = "bond0") -> dict[str, str]:
    files = tuple(files)
    (netdev,) = (
        sections_of(file.text)
        for file in files
        if file.path.endswith(".netdev") and ("Name", bond) in sections_of(file.text)["NetDev"]
    )
    options = {NETWORKD[key]: _plain(value) for key, value in netdev["Bond"]}
    for file in files:
        if file.path.endswith(".network"):
            keys = dict(sections_of(file.text).get("Network", []))
            if keys.get("PrimarySlave") in ("yes", "true"):
                name = file.path.rpartition("/")[2].removesuffix(".network")
                options["primary"] = name.removeprefix("05-").removeprefix("10-netplan-")
    return options


def _plain(value: str) -> str:
    if value.endswith("ms"):
        return value.removesuffix("ms")
    if value.endswith("s") and value[:-1].isdigit():
        return value.removesuffix("s") + "000"
    return value.replace(" ", ",")


def options_of(system: System, files: Iterable[File]) -> dict[str, str]:
    """The bond's settings in the kernel's words, a list's values with commas between."""
    files = tuple(files)
    if system == "networkd":
        return networkd_options(files)
    if system in ("netplan", "cloud-init"):
        end = "60-bond0.yaml" if system == "netplan" else "network-config"
        yaml = YAML(typ="safe").load(file_of(files, end).text)
        parameters = yaml["network"]["bonds"]["bond0"]["parameters"]
        return {
            NETPLAN[key]: ",".join(value) if isinstance(value, list) else str(value)
            for key, value in parameters.items()
        }
    if system == "networkmanager":
        return dict(sections_of(file_of(files, "/bond0.nmconnection").text)["bond"])
    if system == "ifcfg":
        words = variables_of(file_of(files, "/ifcfg-bond0").text)["BONDING_OPTS"]
        return dict(word.partition("=")[::2] for word in words.split())
    options: dict[str, str] = {}
    for line in file_of(files, "interfaces.d/bond0").text.splitlines():
        key, _, value = line.strip().partition(" ")
        word = key.removeprefix("bond-").replace("-", "_")
        if key.startswith("bond-") and word not in ("slaves", "master"):
            options[word] = value.replace(" ", ",")
    return options
