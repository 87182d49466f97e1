"""guests.sh finds the right card, though both legs of a pair may have one address."""

from __future__ import annotations

import subprocess
from importlib.resources import files
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest

from sriovctl.shell import command
from tests.unit.shells import SHELLS, shell_folder

MAC = "02:11:00:00:00:01"
LEGS = {"em1": "0000:01:00.0", "em2": "0000:02:00.0"}
VIRSH = """#!/bin/sh
# libvirt as far as it matters here: FOLDER/config and FOLDER/live are one VM's XML
words=$*
case $words in
*dumpxml*--inactive*) cat "$FOLDER/config" ;;
*dumpxml*) cat "$FOLDER/live" ;;
*domstate*) cat "$FOLDER/state" 2>/dev/null || echo running ;;
*detach-device*) { cat; echo " ${words##* }"; } >>"$FOLDER/detached" ;;
*attach-device*) { cat; echo " ${words##* }"; } >>"$FOLDER/attached" ;;
*) exit 1 ;;
esac
"""


def defined(pool: str, place: int) -> str:
    return (
        f"    <interface type='network'>\n      <mac address='{MAC}'/>\n"
        f"      <source network={quoteattr(pool)}/>\n"
        f"      <address type='pci' domain='0x0000' bus='0x0{place}' slot='0x00' function='0x0'/>\n"
        "    </interface>\n"
    )


def running(bus: int, place: int) -> str:
    """As ``virsh dumpxml`` of libvirt 11.3 shows a card of a pool."""
    return (
        f"    <interface type='hostdev' managed='yes'>\n      <mac address='{MAC}'/>\n"
        "      <driver name='vfio'/>\n      <source>\n"
        f"        <address type='pci' domain='0x0000' bus='0x0{bus}' slot='0x10' function='0x2'/>\n"
        f"      </source>\n      <alias name='hostdev{place}'/>\n"
        f"      <address type='pci' domain='0x0000' bus='0x0{place}' slot='0x00' function='0x0'/>\n"
        "    </interface>\n"
    )


class Host:
    """A VM with two cards of one address, one on each leg, and the shell that looks at it."""

    def __init__(self, folder: Path, shells: Path, pools: dict[str, str]) -> None:
        self.folder = folder
        self._shells = shells
        (shells / "virsh").write_text(VIRSH)
        (shells / "virsh").chmod(0o755)
        for bus in (1, 2):
            vf = folder / f"sys/bus/pci/devices/0000:0{bus}:10.2"
            vf.mkdir(parents=True)
            (vf / "physfn").symlink_to(f"../0000:0{bus}:00.0")
        self.show("config", *(defined(pool, at) for at, pool in enumerate(pools.values(), 5)))
        self.show("live", running(1, 5), running(2, 6))

    def show(self, which: str, *cards: str) -> None:
        text = "<domain>\n  <devices>\n" + "".join(cards) + "  </devices>\n</domain>\n"
        (self.folder / which).write_text(text)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        chain = files("sriovctl").joinpath("chain")
        library = "".join(chain.joinpath(name).read_text() for name in ("virsh.sh", "guests.sh"))
        return subprocess.run(
            [self._shells / "sh", "-s"],
            input=f"{library}\nset -e\n{command(*words)}\n",
            env={
                "PATH": f"{self._shells}:/usr/sbin:/usr/bin:/sbin:/bin",
                "FOLDER": str(self.folder),
                "SRIOVCTL_SYSFS": str(self.folder / "sys"),
                "SRIOVCTL_UNPLUG_TIMEOUT_S": "0",
            },
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    @property
    def detached(self) -> str:
        return (self.folder / "detached").read_text()


POOLS = {"em1": "passthrough_em1", "em2": """it's <"left"> & $(reboot)"""}


@pytest.fixture(params=SHELLS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    shells = shell_folder(request.param, tmp_path / "shell")
    if shells is None:
        pytest.skip(f"no {request.param} here")
    return Host(tmp_path, shells, POOLS)


def card(leg: str) -> tuple[str, str, str, str]:
    pool = escape(POOLS[leg], {"'": "&apos;", '"': "&quot;"})
    return ("uuid", MAC, pool, LEGS[leg])


@pytest.mark.parametrize("leg", LEGS)
@pytest.mark.parametrize("flag", ["--config", "--live"])
def test_the_leg_that_is_meant_is_unplugged(host: Host, leg: str, flag: str) -> None:
    if flag == "--config":
        # as libvirt writes an attribute, with both kinds of quotes escaped
        cards = [
            defined("POOL", at).replace('"POOL"', f"'{card(name)[2]}'")
            for at, name in enumerate(LEGS, 5)
        ]
        host.show("config", *cards)
    done = host.run("detach_nic", *card(leg), flag)
    assert done.returncode == 0, done.stderr
    said = host.detached
    assert said.count("<interface") == 1
    assert f"bus='0x0{5 if leg == 'em1' else 6}' slot='0x00'" in said
    assert said.rstrip().endswith(flag)


def test_one_leg_gone_is_gone_though_the_other_has_the_address(host: Host) -> None:
    host.show("live", running(2, 6))
    assert host.run("vm_lacks_nic", *card("em1"), "--live").returncode == 0
    assert host.run("vm_has_nic", *card("em1"), "--live").returncode != 0
    assert host.run("vm_has_nic", *card("em2"), "--live").returncode == 0
    still = host.run("vm_lacks_nic", *card("em2"), "--live")
    assert still.returncode != 0
    assert "has not let go" in still.stderr


def test_undo_leaves_the_other_leg_alone(host: Host) -> None:
    host.show("live", running(2, 6))
    assert host.run("detach_nic_if_there", *card("em1"), "--live").returncode == 0
    assert not (host.folder / "detached").exists()


@pytest.mark.parametrize("flag", ["--config", "--live"])
def test_a_leg_is_plugged_in_beside_the_other_with_its_address(host: Host, flag: str) -> None:
    pool = card("em2")[2]
    host.show("live", running(2, 6))
    host.show("config", defined("POOL", 6).replace('"POOL"', f"'{pool}'"))
    for leg in LEGS:
        xml = f"<interface type='network'>{leg}</interface>"
        done = host.run("attach_nic_if_missing", *card(leg), flag, xml)
        assert done.returncode == 0, done.stderr
    attached = (host.folder / "attached").read_text()
    assert attached == f"<interface type='network'>em1</interface> {flag}\n"


def test_a_card_that_is_not_there_is_named(host: Host) -> None:
    host.show("live")
    done = host.run("detach_nic", *card("em1"), "--live")
    assert done.returncode != 0
    assert MAC in done.stderr


def test_a_paused_vm_is_not_waited_for(host: Host) -> None:
    (host.folder / "state").write_text("paused\n")
    done = host.run("detach_nic", *card("em1"), "--live")
    assert done.returncode != 0
    assert "virsh resume" in done.stderr
    assert not (host.folder / "detached").exists()


def test_a_card_comes_back_to_its_place(host: Host) -> None:
    host.show("live", running(2, 6))
    host.show("config", defined(POOLS["em1"], 5).replace('"passthrough_em1"', "'passthrough_em1'"))
    done = host.run("plug_in_as_defined", *card("em1"), "<interface>anywhere</interface>")
    assert done.returncode == 0, done.stderr
    (line,) = (host.folder / "attached").read_text().splitlines()
    assert "bus='0x05'" in line
    assert line.endswith("--live")


def test_a_card_that_is_not_defined_is_plugged_in_anywhere(host: Host) -> None:
    host.show("live", running(2, 6))
    host.show("config")
    xml = "<interface>anywhere</interface>"
    done = host.run("plug_in_as_defined", *card("em1"), xml)
    assert done.returncode == 0, done.stderr
    assert (host.folder / "attached").read_text() == f"{xml} --live\n"


@pytest.mark.parametrize("flag", ["--config", "--live"])
def test_nothing_is_plugged_in_where_libvirt_does_not_say(host: Host, flag: str) -> None:
    """It would be in twice, or in another place of the guest than before."""
    host.show("live", running(2, 6))
    (host.folder / flag.removeprefix("--")).unlink()
    xml = "<interface>anywhere</interface>"
    lines: list[tuple[str, ...]] = [("attach_nic_if_missing", *card("em1"), flag, xml)]
    if flag == "--config":
        lines.append(("plug_in_as_defined", *card("em1"), xml))
    for line in lines:
        done = host.run(*line)
        assert done.returncode != 0
        assert "libvirt does not say which cards the VM has" in done.stderr
    assert not (host.folder / "attached").exists()


def test_a_card_that_libvirt_does_not_tell_of_is_not_called_missing(host: Host) -> None:
    (host.folder / "live").unlink()
    done = host.run("detach_nic", *card("em1"), "--live")
    assert done.returncode != 0
    assert "libvirt does not say" in done.stderr
    assert "has no card" not in done.stderr
