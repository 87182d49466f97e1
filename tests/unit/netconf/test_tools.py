"""The systems' own programs take the files, where they are here, and understand what is meant.

ifcfg has none in Debian: its files are compared word by word in test_render.

They are run in a Debian tree (conftest): ``SRIOVCTL_NET_TOOLS`` names another one than the tests'
own. Without root, or without mmdebstrap, what this machine has is run.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from sriovctl.chain.bondfiles import FIRST_LINE
from sriovctl.netconf import File, System, render
from tests.unit.namespaces import why_no_mounts
from tests.unit.netconf.cases import NETWORKS
from tests.unit.netconf.conftest import TIMEOUT_S, Tools
from tests.unit.netconf.reading import networkd_options, options_of, sections_of
from tests.unit.netconf.test_render import REFUSED

NETWORKD = "/usr/lib/systemd/systemd-networkd"


def cases(system: System, by_arp: bool = True) -> pytest.MarkDecorator:
    names = [
        name
        for name, network in NETWORKS.items()
        if (system, name) not in REFUSED and (by_arp or not network.bond.arp_ip_targets)
    ]
    return pytest.mark.parametrize("case", names)


def as_on_a_host(case: str, system: System) -> tuple[File, ...]:
    """With the line that link bonds puts before them."""
    return tuple(f.model_copy(update={"text": FIRST_LINE + f.text}) for f in files_of(case, system))


def files_of(case: str, system: System) -> tuple[File, ...]:
    return render([NETWORKS[case]], system)[0]


@cases("netplan")
def test_netplan_makes_the_same_bond_for_networkd(tools: Tools, case: str) -> None:
    netplan = tools.need("netplan")
    tools.put(files_of(case, "netplan"))
    done = tools.run(*netplan, "generate", "--root-dir", tools.seen)
    assert done.returncode == 0, done.stderr
    made = tuple(
        File(path=str(path), text=path.read_text())
        for path in (tools.folder / "run/systemd/network").iterdir()
    )
    assert networkd_options(made) == NETWORKS[case].bond.options
    legs = [
        file
        for file in made
        if dict(sections_of(file.text).get("Network", [])).get("Bond") == "bond0"
    ]
    assert len(legs) == (1 if NETWORKS[case].alike else len(NETWORKS[case].legs))


HOSTS = [name for name, network in NETWORKS.items() if len(network.levels) > 1]
"""Those with a VLAN or a bridge on the bond, as hosts have it."""


@pytest.mark.parametrize("case", HOSTS)
def test_netplan_makes_what_stands_on_the_bond(tools: Tools, case: str) -> None:
    netplan = tools.need("netplan")
    network = NETWORKS[case]
    tools.put(as_on_a_host(case, "netplan"))
    done = tools.run(*netplan, "generate", "--root-dir", tools.seen)
    assert done.returncode == 0, done.stderr
    made = tools.folder / "run/systemd/network"
    for below, name in pairwise(network.levels):
        of_below = _keys(made / f"10-netplan-{below}.network", "Network")
        if name == network.bridge:
            assert ("Bridge", name) in of_below
            assert ("Kind", "bridge") in _keys(made / f"10-netplan-{name}.netdev", "NetDev")
        else:
            assert ("VLAN", name) in of_below
            assert ("Id", str(network.vlan)) in _keys(made / f"10-netplan-{name}.netdev", "VLAN")
    top = sections_of((made / f"10-netplan-{network.levels[-1]}.network").read_text())
    assert [value for key, value in top["Network"] if key == "Address"] == [*network.addresses]
    ways = [value for key, value in top.get("Route", []) if key == "Gateway"]
    assert ways == ([network.gateway] if network.gateway else [])
    assert (("DHCP", "ipv4") in top["Network"]) == network.dhcp


def test_netplan_takes_the_renderer_for_every_file(tools: Tools) -> None:
    """Why ours says again what a file said that is set aside: it is said for others too."""
    netplan = tools.need("netplan")
    network = NETWORKS[HOSTS[0]].model_copy(update={"renderer": "NetworkManager"})
    other = "network:\n  version: 2\n  ethernets:\n    mgmt0: {dhcp4: true}\n"
    files, _ = render([network], "netplan")
    for path in ("/etc/netplan/50-mgmt.yaml", "/etc/netplan/70-mgmt.yaml"):
        tools.put((*files, File(path=path, text=other, mode=0o600)))
        done = tools.run(*netplan, "generate", "--root-dir", tools.seen)
        assert done.returncode == 0, done.stderr
        profiles = {p.name for p in (tools.folder / "run/NetworkManager").rglob("*.nmconnection")}
        names = {network.bond.name, network.levels[-1], "mgmt0"}
        assert profiles >= {f"netplan-{name}.nmconnection" for name in names}
        assert list((tools.folder / "run").rglob("10-netplan-*.network")) == []
        (tools.folder / path.lstrip("/")).unlink()


def _keys(path: Path, section: str) -> list[tuple[str, str]]:
    return sections_of(path.read_text())[section]


def test_netplan_refuses_what_is_misspelt(tools: Tools) -> None:
    """Else the test above would show nothing."""
    netplan = tools.need("netplan")
    (file,) = files_of("own addresses, dhcp", "netplan")
    tools.put((file.model_copy(update={"text": file.text.replace("gratuitous", "gratuity")}),))
    assert tools.run(*netplan, "generate", "--root-dir", tools.seen).returncode != 0


@cases("networkmanager")
def test_nmcli_reads_every_profile(tools: Tools, case: str) -> None:
    nmcli = tools.need("nmcli")
    profiles = [f for f in files_of(case, "networkmanager") if f.path.endswith(".nmconnection")]
    for profile in profiles:
        done = tools.run(
            *nmcli, "--offline", "connection", "modify", "connection.autoconnect-priority", "7",
            text=profile.text,
        )  # fmt: skip
        assert done.returncode == 0, f"{profile.path}: {done.stderr}"
        read, written = sections_of(done.stdout), sections_of(profile.text)
        for section in written:
            lost = _as_one_writes(written[section]) - _as_one_writes(read.get(section, []))
            assert lost == set(), f"{profile.path} [{section}]"


def _as_one_writes(keys: list[tuple[str, str]]) -> set[tuple[str, str]]:
    """Keys of a profile as every version of NetworkManager would write them."""
    newer = {"controller": "master", "port-type": "slave-type"}
    found = set()
    for key, value in keys:
        address, _, gateway = value.partition(",") if key.startswith("address") else (value, "", "")
        found.add((newer.get(key, key), address.lower()))
        if gateway:
            found.add(("gateway", gateway))
    return found


def test_nmcli_refuses_what_cannot_be(tools: Tools) -> None:
    nmcli = tools.need("nmcli")
    files = files_of("own addresses, dhcp", "networkmanager")
    (bond,) = (file for file in files if file.path.endswith("/bond0.nmconnection"))
    done = tools.run(
        *nmcli, "--offline", "connection", "modify", "connection.autoconnect-priority", "7",
        text=bond.text.replace("active-backup", "802.3ad"),
    )  # fmt: skip
    assert done.returncode != 0


@cases("ifupdown")
def test_ifup_would_bring_it_up(tools: Tools, case: str) -> None:
    ifup = tools.need("ifup")
    tools.put(files_of(case, "ifupdown"))
    network = NETWORKS[case]
    interfaces = f"--interfaces={tools.seen}/etc/network/interfaces.d/bond0"
    names = [*network.levels, *(leg.name for leg in network.legs)]
    for name in names:
        done = tools.run(*ifup, "--no-act", "--force", interfaces, name)
        assert done.returncode == 0, done.stderr
    done = tools.run(*tools.need("ifquery"), interfaces, "bond0")
    said = dict(line.partition(": ")[::2] for line in done.stdout.splitlines())
    for word, value in network.bond.options.items():
        if word != "primary":
            assert said[f"bond-{word.replace('_', '-')}"] == value.replace(",", " ")
    for leg in network.legs:
        done = tools.run(*tools.need("ifquery"), interfaces, leg.name)
        assert "bond-master: bond0\n" in done.stdout
        primary = network.bond.primary
        assert (f"bond-primary: {primary}\n" in done.stdout) == (primary is not None)


@pytest.mark.parametrize("case", HOSTS)
def test_ifup_knows_what_stands_on_the_bond(tools: Tools, case: str) -> None:
    ifup, ifquery = tools.need("ifup"), tools.need("ifquery")
    network = NETWORKS[case]
    tools.put(as_on_a_host(case, "ifupdown"))
    interfaces = f"--interfaces={tools.seen}/etc/network/interfaces.d/bond0"
    # in the order of the file, and of these only
    done = tools.run(*ifquery, interfaces, "--list")
    assert done.stdout.split() == ["lo", *network.levels]
    for below, name in pairwise(network.levels):
        said = tools.run(*ifquery, interfaces, name).stdout.splitlines()
        word = "bridge-ports" if name == network.bridge else "vlan-raw-device"
        assert f"{word}: {below}" in said
    top = network.levels[-1]
    done = tools.run(*ifup, "--no-act", "--verbose", "--force", interfaces, top)
    assert done.returncode == 0, done.stderr
    for address in network.addresses:
        # of IPv4 it spells the mask out
        assert f"addr add {address.partition('/')[0]}/" in done.stderr
    if network.gateway is not None:
        assert re.search(rf"route (add|replace) default via {network.gateway}\b", done.stderr)


@cases("cloud-init")
def test_cloud_inits_schema_takes_it(tools: Tools, case: str) -> None:
    cloud_init = tools.need("cloud-init")
    if "--schema-type" not in tools.run(*cloud_init, "schema", "--help").stdout:
        pytest.skip("this cloud-init has no schema of network configuration (24.1 brought it)")
    tools.put(files_of(case, "cloud-init"))
    file = f"{tools.seen}/network-config"
    done = tools.run(*cloud_init, "schema", "--schema-type", "network-config", "-c", file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Valid schema" in done.stdout


READ_BY_CLOUD_INIT = """
import json, sys, yaml
from cloudinit.net import network_state
document = yaml.safe_load(open(sys.argv[1]))["network"]
state = network_state.parse_net_config_data(document, skip_broken=False)
print(json.dumps({i["name"]: i for i in state.iter_interfaces()}))
"""


@cases("cloud-init")
def test_cloud_init_itself_reads_it(tools: Tools, case: str) -> None:
    """As it does where the guest has no netplan: there, asking by ARP is what the warning says."""
    tools.need("cloud-init")
    network = NETWORKS[case]
    tools.put(files_of(case, "cloud-init"))
    done = tools.run(
        *tools.need("python3"), "-c", READ_BY_CLOUD_INIT, f"{tools.seen}/network-config"
    )
    if network.bond.arp_ip_targets:
        assert "KeyError: 'arp-ip-targets'" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    for leg in network.legs:
        assert '"bond-master": "bond0"' in done.stdout
        assert leg.name in done.stdout


@cases("cloud-init", by_arp=False)
def test_cloud_init_makes_the_same_bond_as_ifcfg(tools: Tools, case: str) -> None:
    """Asking by ARP it cannot, as the warning says."""
    cloud_init = tools.need("cloud-init")
    network = NETWORKS[case]
    tools.put(files_of(case, "cloud-init"))
    done = tools.run(
        *cloud_init, "devel", "net-convert", "--network-data", f"{tools.seen}/network-config",
        "--kind", "yaml", "-O", "sysconfig", "-D", "centos", "-d", tools.seen,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = tools.folder / "etc/sysconfig/network-scripts/ifcfg-bond0"
    assert options_of("ifcfg", [File(path=str(made), text=_without_comments(made))]) == (
        network.bond.options
    )


def _without_comments(path: Path) -> str:
    lines = path.read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("#"))


def said_by_networkd(tools: Tools, files: tuple[File, ...]) -> str:
    """What systemd-networkd says of these files, in network and mount namespaces of its own."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if why := why_no_mounts("--net"):
        pytest.skip(f"no namespaces here: {why}")
    if not Path(tools.root + NETWORKD).exists():
        pytest.skip(f"no systemd-networkd in {tools.root or '/'}")
    tools.put(files)
    root = tools.root or "/"
    script = """set -e
mount --bind "$2" "$1/etc/systemd/network"
mount -t proc proc "$1/proc"
mount -t sysfs -o ro sysfs "$1/sys"
mount -t tmpfs -o mode=755 tmpfs "$1/run"
mkdir "$1/run/systemd"
exec chroot "$1" "$3" 2>&1"""
    process = subprocess.Popen(
        ["unshare", "--net", "--mount", "sh", "-c", script, "sh", root,
         str(tools.folder / "etc/systemd/network"), NETWORKD],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_LOG_LEVEL": "info"},
    )  # fmt: skip
    assert process.stdout is not None
    said = []
    late = threading.Timer(TIMEOUT_S, process.kill)
    late.start()
    try:
        for line in process.stdout:
            said.append(line)
            # all files are read by then; a kernel without the bonding module cannot make it
            if re.match(r"bond0: (netdev ready|.*create)", line):
                break
    finally:
        late.cancel()
        process.kill()
        process.wait()
    return "".join(said)


COMPLAINT = re.compile(r"^/etc/systemd/network/.*$", re.MULTILINE)


@pytest.mark.parametrize("case", NETWORKS)
def test_networkd_reads_every_key(tools: Tools, case: str) -> None:
    said = said_by_networkd(tools, files_of(case, "networkd"))
    assert "bond0: " in said, said
    assert COMPLAINT.findall(said) == []


def test_networkd_complains_of_what_is_misspelt(tools: Tools) -> None:
    files = tuple(
        file.model_copy(update={"text": file.text.replace("GratuitousARP", "GratuitiousARP")})
        for file in files_of("own addresses, dhcp", "networkd")
    )
    (complaint,) = COMPLAINT.findall(said_by_networkd(tools, files))
    assert "GratuitiousARP" in complaint
