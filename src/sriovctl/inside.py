"""What is inside running VMs, by their QEMU guest agents: their bonds as their kernels have them.

No part of the probe: it costs a round trip of its own, and a VM may have no agent or a silent one.
All that a guest says is hostile: it is cut on the host, and here it is facts or it is nothing.
"""

from __future__ import annotations

import base64
import ipaddress
import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

from sriovctl.agent import order
from sriovctl.insidefacts import Inside, InsideBond, InsideFile, InsideLeg
from sriovctl.names import MAC_ADDRESS
from sriovctl.reach import Reach
from sriovctl.shell import command

__all__ = [
    "Answer",
    "Inside",
    "InsideBond",
    "InsideFile",
    "InsideLeg",
    "ask",
    "look",
    "read",
    "read_answer",
]

TIMEOUT_S = 10.0
"""Seconds that a VM gets for its answer; libvirt gives an agent five to say that it is there."""
GRACE_S = 30.0
"""Seconds beyond that for the host's own part: to be reached, and to start virsh for all VMs."""

LONGEST_WORD = 300
"""Characters of what libvirt said that are passed on."""


@dataclass(frozen=True)
class Answer:
    """What a command inside a VM printed, or why there is no answer."""

    text: str = ""
    status: int = 0
    why_not: str = ""


def look(
    reach: Reach,
    vms: Iterable[str],
    *,
    paths: Mapping[str, Sequence[str]] | None = None,
    timeout_s: float = TIMEOUT_S,
    wait_s: float = 0,
) -> dict[str, Inside]:
    """Look into VMs of a host, all at once, in one round trip.

    :param vms: UUIDs, or names where nothing else is known
    :param paths: files that are read too, by VM
    :param timeout_s: seconds that each gets to answer
    :param wait_s: seconds before that for an agent that is not there yet, of a VM that boots
    :returns: an entry for each, by what was asked for
    :raises UnreachableError: the host cannot be reached, or has given no answer in all that time
    """
    wanted = {vm: tuple((paths or {}).get(vm, ())) for vm in vms}
    scripts = {vm: LOOK + command("files", *some) + "\n" for vm, some in wanted.items()}
    answers = ask(reach, scripts, timeout_s=timeout_s, wait_s=wait_s)
    return {vm: read(vm, answer, wanted[vm]) for vm, answer in answers.items()}


def ask(
    reach: Reach, scripts: Mapping[str, str], *, timeout_s: float = TIMEOUT_S, wait_s: float = 0
) -> dict[str, Answer]:
    """Have the ``sh`` of each VM run a script, all at once, in one round trip.

    :param scripts: by VM; no input; ends within moments
    :param timeout_s: see :func:`look`
    :param wait_s: see :func:`look`
    :raises UnreachableError: see :func:`look`
    """
    if not scripts:
        return {}
    words = [word for vm, script in scripts.items() for word in (vm, order(script))]
    output = reach.run(
        "\n".join(
            (
                files("sriovctl").joinpath("agent.sh").read_text("utf-8"),
                files("sriovctl").joinpath("inside.sh").read_text("utf-8"),
                command("all_inside", math.ceil(timeout_s), math.ceil(wait_s), *words) + "\n",
            )
        ),
        timeout_s=timeout_s + wait_s + GRACE_S,
    )
    found: dict[str, tuple[int, str]] = {}
    for line in output.stdout.split("\n"):
        number, _, rest = line.partition("\t")
        status, tab, text = rest.partition("\t")
        if tab and number.isdecimal() and status.isdecimal():
            found[number] = int(status), text
    said = output.stderr.strip()[-LONGEST_WORD:]
    nothing = (1, said or "the host gave no answer")
    return {
        vm: read_answer(*found.get(str(number), nothing), timeout_s)
        for number, vm in enumerate(scripts, 1)
    }


SILENT = (124, 137, 143)
"""Exit status of agent.sh, and of timeout as coreutils and busybox have it."""
TOO_LONG = 153
"""By SIGXFSZ."""

_WHY_NOT = (
    ("not configured", "its definition has no channel org.qemu.guest_agent.0"),
    ("not connected", "no guest agent runs in it"),
    ("not running", "it does not run"),
    ("has been disabled", "its guest agent is forbidden to run commands (guest-exec)"),
    ("is disabled", "its guest agent is forbidden to run commands (guest-exec)"),
    ("has not been found", "its guest agent is too old to run commands (guest-exec)"),
    ("didn't respond", "its guest agent does not answer"),
    ("not available", "its guest agent does not answer"),
)
"""libvirt's words (qemu_domain.c, qemu_agent.c) and the agent's own (qapi/qmp-dispatch.c)."""


def read_answer(status: int, text: str, timeout_s: float) -> Answer:
    """What the host printed for one VM. Pure.

    :param status: of agent.sh's ``agent_exec``
    :param text: ``guest-exec-status``'s answer, or what virsh said
    """
    if status in SILENT:
        return Answer(why_not=f"its guest agent does not answer within {timeout_s:g} s")
    if status == TOO_LONG:
        return Answer(why_not="its guest agent's answer is too long to be one")
    if status != 0:
        known = next((why for words, why in _WHY_NOT if words in text), None)
        said = " ".join(text.split()).removeprefix("error: ")[:LONGEST_WORD]
        return Answer(why_not=known or f"libvirt: {said or f'exit status {status}'}")
    try:
        facts = json.loads(text)["return"]
        # a Windows guest, or one without /bin/sh, ends in a code of its own
        return Answer(
            text=base64.b64decode(facts.get("out-data", ""), validate=True).decode(
                errors="replace"
            ),
            status=int(facts.get("exitcode", 128 + int(facts.get("signal", 0)))),
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return Answer(why_not=_UNREADABLE)


_UNREADABLE = "what its guest agent answered cannot be read"

_SETTINGS = (
    "mode fail_over_mac active_slave primary miimon updelay downdelay arp_interval arp_ip_target "
    "arp_validate num_grat_arp"
)
LOOK = f"""cd /sys/class/net || exit
for bond in */bonding; do
    [ -d "$bond" ] || continue
    name=${{bond%/bonding}}
    echo "bond $name"
    for word in {_SETTINGS}; do
        read -r value <"$bond/$word" || value=
        echo "set $word $value"
    done
    cat "/proc/net/bonding/$name"
    read -r legs <"$bond/slaves" || legs=
    for device in "$name" $legs; do
        read -r value <"$device/address" && echo "mac $device $value"
    done
done 2>/dev/null | head -c 60000
files() {{
    number=0
    for file; do
        number=$((number + 1))
        [ ! -f "$file" ] || {{
            echo "file $number $(stat -c %a "$file")"
            {{ cat "$file"; echo .; }} | head -c 40000 | sed 's/^/|/'
        }}
    done
    echo end
}}
"""
"""Runs in the guest. The legs' permanent addresses are in /proc; sysfs has them from 3.13 on.
A file's last line has a dot more, so that it is seen how it ends."""


def read(vm: str, answer: Answer, paths: Sequence[str] = ()) -> Inside:
    """The facts of what :data:`LOOK` printed in a VM. Pure.

    :param vm: as it was asked for
    :param paths: files that were asked for
    """
    if answer.why_not:
        return Inside(vm=vm, why_not=answer.why_not)
    if answer.status:
        return Inside(vm=vm, why_not=f"in it, /bin/sh ends with exit status {answer.status}")
    try:
        return Inside(
            vm=vm, bonds=tuple(_bonds(answer.text)), files=dict(_files(answer.text, paths))
        )
    except (ValueError, LookupError):
        return Inside(vm=vm, why_not=_UNREADABLE)


def _bonds(text: str) -> Iterator[InsideBond]:
    bonds: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith("bond "):
            bonds.append([])
        if bonds and not line.startswith(_NO_BOND):
            bonds[-1].append(line)
    return (_bond(lines) for lines in bonds)


_NO_BOND = ("file ", "|", "end")


def _files(text: str, paths: Sequence[str]) -> Iterator[tuple[str, InsideFile]]:
    """:raises ValueError: cut short, too long a file, or one that is no text"""
    lines = text.split("\n")
    if lines[-2:] != ["end", ""]:
        raise ValueError("no end")
    for at, line in enumerate(lines):
        match line.split(" "):
            case ["file", number, mode]:
                kept = itertools.takewhile(lambda said: said.startswith("|"), lines[at + 1 :])
                content = "\n".join(said[1:] for said in kept)
                if not content.endswith(".") or "\ufffd" in content:
                    raise ValueError(f"file {number}")
                if not 0 < int(number) <= len(paths):
                    raise ValueError(number)
                yield paths[int(number) - 1], InsideFile(mode=int(mode, 8), text=content[:-1])


def _bond(lines: list[str]) -> InsideBond:
    name = _interface(lines[0].partition(" ")[2])
    settings: dict[str, str] = {}
    macs: dict[str, str] = {}
    legs: dict[str, dict[str, str]] = {}
    for line in lines[1:]:
        match line.split(maxsplit=2):
            case ["set", word, *value]:
                settings[word] = "".join(value)
            case ["mac", device, mac]:
                macs[device] = _mac(mac)
            case ["Slave", "Interface:", leg]:
                legs[_interface(leg)] = {}
            case _ if legs:
                word, _, rest = line.partition(": ")
                next(reversed(legs.values()))[word] = rest
    return InsideBond(
        name=name,
        mode=_word(settings["mode"]),
        fail_over_mac=_POLICIES[_word(settings["fail_over_mac"])],
        active=_leg_or_none(settings["active_slave"]),
        miimon_ms=_number(settings["miimon"]),
        updelay_ms=_number(settings["updelay"]),
        downdelay_ms=_number(settings["downdelay"]),
        arp_interval_ms=_number(settings["arp_interval"]),
        arp_ip_targets=tuple(
            str(ipaddress.IPv4Address(target)) for target in settings["arp_ip_target"].split()
        ),
        arp_validate=_word(settings["arp_validate"]) if settings["arp_validate"] else None,
        num_grat_arp=_number(settings["num_grat_arp"]),
        primary=_leg_or_none(settings["primary"]),
        mac=macs[name],
        legs=tuple(
            InsideLeg(
                name=leg,
                mac=macs[leg],
                permanent_mac=_mac(facts["Permanent HW addr"]),
                up=facts["MII Status"] == "up",
            )
            for leg, facts in legs.items()
        ),
    )


_POLICIES: dict[str, Literal["none", "active", "follow"]] = {
    "none": "none",
    "active": "active",
    "follow": "follow",
}


def _interface(text: str) -> str:
    # what the kernel takes as a name (net/core/dev.c, dev_valid_name), and can be shown
    if not (re.fullmatch(r"[^/:\s]{1,15}", text) and text.isprintable()):
        raise ValueError(text)
    return text


def _leg_or_none(text: str) -> str | None:
    return _interface(text) if text else None


def _word(text: str) -> str:
    # sysfs has the number beside the word, as in "active-backup 1"
    found = re.fullmatch(r"([0-9a-z._-]{1,20}) \d{1,3}", text, re.ASCII)
    if found is None:
        raise ValueError(text)
    return found[1]


def _number(text: str) -> int:
    if not re.fullmatch(r"\d{1,10}", text, re.ASCII):
        raise ValueError(text)
    return int(text)


def _mac(text: str) -> str:
    mac = text.strip().lower()
    if not MAC_ADDRESS.fullmatch(mac):
        raise ValueError(text)
    return mac
