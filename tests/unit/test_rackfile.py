"""Every kind of bad rack file: the line, the column, what was found, what is allowed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sriovctl.errors import RackError, UsageError
from sriovctl.rackfile import LARGEST_FILE, MOST_FAULTS, load, wants

HEAD = "hosts:\n  server-2:\n    pfs:\n      em1: 7\n      em2: 7\n"
"""Five lines; what follows begins on line 6."""


def refused(folder: Path, text: str | bytes) -> list[str]:
    """The errors of a rack file with this text, one a line, without the file's name."""
    path = folder / "rack.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RackError) as caught:
        load(path)
    assert caught.value.exit_code == 2
    assert caught.value.mend
    return [line.removeprefix(f"{path}:") for line in caught.value.found.splitlines()]


BMC = "hosts:\n  s:\n    pfs: {em1: 7}\n    bmc:\n      address: 10.8.0.2\n"
"""Five lines; more keys of the BMC begin on line 6."""

BAD: dict[str, tuple[str | bytes, str]] = {
    "password in plain text": (
        BMC + "      password: calvin\n",
        "6:17: hosts.s.bmc.password: a value that is not shown (a password itself is not written "
        "here: put it into a file of mode 0600 and write file:PATH, or write env:NAME or "
        "keyring:SERVICE/USER)",
    ),
    "password that is a number": (
        BMC + "      password: 1234\n",
        "6:17: hosts.s.bmc.password: a value that is not shown (expected text such as "
        "env:BMC_PASSWORD)",
    ),
    "no password": (
        BMC,
        "4:5: hosts.s.bmc: no 'password' here (expected text such as env:BMC_PASSWORD)",
    ),
    "slip of the pen in a BMC": (
        BMC + "      password: env:P\n      pasword: calvin\n",
        "7:7: hosts.s.bmc.pasword: unknown key 'pasword' (did you mean 'password'? allowed: "
        "address, authority, bios, fingerprint, https_port, insecure, known_hosts, old_ciphers, "
        "password, ssh_port, user, via)",
    ),
    "no SHA-256": (
        BMC + "      password: env:P\n      fingerprint: 9F:3A\n",
        "7:20: hosts.s.bmc.fingerprint: '9F:3A' (a SHA-256 fingerprint has 64 hex digits, with or "
        "without colons)",
    ),
    "certificate checked in two ways": (
        BMC + "      password: env:P\n      authority: ca.pem\n      insecure: true\n",
        "4:5: hosts.s.bmc: authority and insecure: its certificate is checked in one way",
    ),
    "racadm without a host key": (
        BMC + "      password: env:P\n      via: racadm\n",
        "7:12: hosts.s.bmc.via: racadm goes over ssh: give known_hosts, with its host key",
    ),
    "no way to a BMC": (
        BMC + "      password: env:P\n      via: ipmi\n",
        "7:12: hosts.s.bmc.via: 'ipmi' (expected auto or redfish or racadm)",
    ),
    "nothing that a BIOS has": (
        BMC + "      password: env:P\n      bios: [sriov, vtd]\n",
        "7:21: hosts.s.bmc.bios[1]: 'vtd' (expected virtualization or iommu or sriov)",
    ),
    "one BIOS switch twice": (
        BMC + "      password: env:P\n      bios: [sriov, sriov]\n",
        "7:21: hosts.s.bmc.bios[1]: sriov is named twice",
    ),
    "two hosts with one BMC": (
        BMC + "      password: env:P\n  t:\n    pfs: {em1: 7}\n"
        "    bmc: {address: 10.8.0.2, password: env:P}\n",
        "9:20: hosts.t.bmc.address: the BMC of t is already that of s",
    ),
    "a reboot that is not allowed": (
        "hosts:\n  s:\n    pfs: {em1: 7}\n    reboot: true\n",
        "4:13: hosts.s.reboot: true (expected 'allowed')",
    ),
    "unknown key, a slip of the pen": (
        "hosts:\n  s:\n    pfs:\n      em1: {vfs: 7, autoprob: on}\n",
        "4:21: hosts.s.pfs.em1.autoprob: unknown key 'autoprob' (did you mean 'autoprobe'? "
        "allowed: autoprobe, mac, pci, pool, restored_by, switch, vf, vfs)",
    ),
    "unknown key at the top": (
        HEAD + "vm: {}\n",
        "6:1: vm: unknown key 'vm' (did you mean 'vms'? allowed: hosts, largest_template, rack, "
        "switches, vms)",
    ),
    "unknown key that is like nothing": (
        HEAD + "zzz: {}\n",
        "6:1: zzz: unknown key 'zzz' (allowed: hosts, largest_template, rack, switches, vms)",
    ),
    "missing key": (
        "hosts:\n  s:\n    address: h\n",
        "2:3: hosts.s: no 'pfs' here (expected a mapping)",
    ),
    "no hosts": ("rack: r\n", "1:1: no 'hosts' here (expected a mapping with at least one key)"),
    "hosts empty": (
        "rack: r\nhosts: {}\n",
        "2:1: hosts: a mapping (expected a mapping with at least one key)",
    ),
    "hosts null": (
        "hosts:\n",
        "1:1: hosts: nothing (expected a mapping with at least one key)",
    ),
    "word for a number": (
        "hosts:\n  s:\n    pfs:\n      em1:\n        vfs: seven\n",
        "5:14: hosts.s.pfs.em1.vfs: 'seven' (expected a whole number from 0 to 65535)",
    ),
    "quoted number": (
        "hosts:\n  s:\n    pfs:\n      em1: {vfs: '7'}\n",
        "4:18: hosts.s.pfs.em1.vfs: '7' (expected a whole number from 0 to 65535)",
    ),
    "fraction": (
        "hosts:\n  s:\n    pfs:\n      em1: {vfs: 7.5}\n",
        "4:18: hosts.s.pfs.em1.vfs: 7.5 (expected a whole number from 0 to 65535)",
    ),
    "negative": (
        "hosts:\n  s:\n    pfs:\n      em1: {vfs: -1}\n",
        "4:18: hosts.s.pfs.em1.vfs: -1 (expected a whole number from 0 to 65535)",
    ),
    "too large, by the short form": (
        "hosts:\n  s:\n    pfs:\n      em1: 70000\n",
        "4:12: hosts.s.pfs.em1: 70000 (expected a whole number from 0 to 65535, or a mapping with "
        "keys of vfs, pci, mac, switch, pool, autoprobe, restored_by, vf)",
    ),
    "true for a number": (
        "hosts:\n  s:\n    pfs:\n      em1: {vfs: true}\n",
        "4:18: hosts.s.pfs.em1.vfs: true (expected a whole number from 0 to 65535)",
    ),
    "true for on": (
        "hosts:\n  s:\n    pfs:\n      em1: {vfs: 7, vf: {all: {spoofchk: true}}}\n",
        "4:42: hosts.s.pfs.em1.vf.all.spoofchk: true (expected on or off)",
    ),
    "on for true": (
        HEAD + "vms: {VM-2: {running: on}}\n",
        "6:23: vms.VM-2.running: 'on' (expected true or false)",
    ),
    "list for a mapping": (
        "hosts:\n  - server-2\n",
        "1:1: hosts: a list (expected a mapping with at least one key)",
    ),
    "mapping for a list": (
        HEAD + "switches: {switch-1: }\n",
        "6:1: switches: a mapping (expected a list)",
    ),
    "three legs": (
        HEAD + "vms:\n  VM-2:\n    pairs:\n      - legs: [em1, em2, em3]\n",
        "9:9: vms.VM-2.pairs[0].legs: a list (expected a list of 1 to 2)",
    ),
    "pool that is neither a name nor false": (
        "hosts:\n  s:\n    pfs:\n      em1: {vfs: 7, pool: true}\n",
        "4:27: hosts.s.pfs.em1.pool: true (expected text, or false)",
    ),
    "MAC address": (
        "hosts:\n  s:\n    pfs:\n      em1: {vfs: 7, mac: 52:54:00:12:34}\n",
        "4:26: hosts.s.pfs.em1.mac: '52:54:00:12:34' (a MAC address is six pairs of hex digits, "
        "52:54:00:12:34:56)",
    ),
    "MAC address with a newline": (
        'hosts:\n  s:\n    pfs:\n      em1: {vfs: 7, mac: "52:54:00:12:34:56\\n"}\n',
        "4:26: hosts.s.pfs.em1.mac: '52:54:00:12:34:56\\n' (a MAC address is six pairs of hex "
        "digits, 52:54:00:12:34:56)",
    ),
    "multicast MAC address": (
        "hosts:\n  s:\n    pfs:\n      em1: {vfs: 7, mac: 01:00:5e:00:00:01}\n",
        "4:26: hosts.s.pfs.em1.mac: '01:00:5e:00:00:01' (this is a multicast address; a card's "
        "own has an even first byte)",
    ),
    "zero MAC address": (
        HEAD + "vms: {v: {pairs: [{mac: {em1: 00:00:00:00:00:00}}]}}\n",
        "6:31: vms.v.pairs[0].mac.em1: '00:00:00:00:00:00' (the zero address cannot be set on a "
        "VF)",
    ),
    "PCI address": (
        "hosts:\n  s:\n    pfs:\n      em1: {vfs: 7, pci: 01:00.9}\n",
        "4:26: hosts.s.pfs.em1.pci: '01:00.9' (a PCI address looks like 0000:01:00.0)",
    ),
    "name of a port": (
        "hosts:\n  s:\n    pfs:\n      a-name-much-too-long: 7\n",
        "4:7: hosts.s.pfs.a-name-much-too-long: the name 'a-name-much-too-long' (a port is named "
        "by interface name (at most 15 bytes, no blank, slash or colon), PCI address or MAC "
        "address)",
    ),
    "name of a host": (
        "hosts:\n  $(reboot):\n    pfs: {em1: 7}\n",
        "2:3: hosts.$(reboot): the name '$(reboot)' (a host's name is of letters, digits, dots, "
        "underscores and dashes)",
    ),
    "address that ssh would read as an option": (
        "hosts:\n  s:\n    address: -oProxyCommand=x\n    pfs: {em1: 7}\n",
        "3:14: hosts.s.address: '-oProxyCommand=x' (an address is a DNS name, an IPv4 or an IPv6 "
        "address)",
    ),
    "VM name with a newline": (
        HEAD + 'vms:\n  "VM\\n2":\n',
        "7:3: vms.'VM\\n2': the name 'VM\\n2' (a name has no newline, tab or other invisible "
        "character)",
    ),
    "VM name with a slash": (
        HEAD + "vms:\n  ../VM:\n",
        "7:3: vms.'../VM': the name '../VM' (libvirt takes no slash in a name)",
    ),
    "VM name empty": (
        HEAD + "vms:\n  '':\n",
        "7:3: vms.'': the name '' (a name is not empty and does not begin or end with a blank)",
    ),
    "VM name that is an option": (
        HEAD + "vms:\n  --all:\n",
        "7:3: vms.--all: the name '--all' (virsh would read a name that begins with - as an "
        "option)",
    ),
    "VM name that is a number": (
        HEAD + "vms:\n  7:\n",
        "7:3: vms.7: the name 7, which YAML reads as a number (text: put it in quotes, '7')",
    ),
    "VM name that is a number in quotes": (
        HEAD + "vms:\n  '7':\n",
        "7:3: vms.7: the name '7' (virsh would read a name of digits only as the number of a "
        "running VM)",
    ),
    "VM name that is a fraction": (
        HEAD + "vms:\n  1.0:\n",
        "7:3: vms: the name 1.0, which YAML reads as a fraction (text: put it in quotes, '1.0')",
    ),
    "VM name that is true": (
        HEAD + "vms:\n  true:\n",
        "7:3: vms: the name true, which YAML reads as true or false (text: put it in quotes, "
        "'true')",
    ),
    "VM name that is a list": (
        HEAD + "vms:\n  ? [a]\n  : {}\n",
        "7:5: vms: a mapping or a list as a key (text)",
    ),
    "VM name that is a UUID": (
        HEAD + "vms:\n  2b0f6ad2-52f5-4a8e-9ad7-0f1f5f9f3f0a:\n",
        "7:3: vms.2b0f6ad2-52f5-4a8e-9ad7-0f1f5f9f3f0a: the name "
        "'2b0f6ad2-52f5-4a8e-9ad7-0f1f5f9f3f0a' (virsh would read this name as a UUID)",
    ),
    "VF range": (
        "hosts:\n  s:\n    pfs:\n      em1: {vfs: 7, vf: {3-1: {vlan: 1}}}\n",
        "4:26: hosts.s.pfs.em1.vf.3-1: the name '3-1' (VFs are named all, by index (3) or by range "
        "(0-3))",
    ),
    "VF named twice": (
        "hosts:\n  s:\n    pfs:\n      em1: {vfs: 7, vf: {3: {vlan: 1}, '3': {vlan: 2}}}\n",
        "4:21: hosts.s.pfs.em1.vf: 3 and '3' are the same thing, '3'",
    ),
    "PF named twice": (
        "hosts:\n  s:\n    pfs:\n      01:00.0: 7\n      0000:01:00.0: 7\n",
        "3:5: hosts.s.pfs: '01:00.0' and '0000:01:00.0' are the same thing, '0000:01:00.0'",
    ),
    "duplicate key": (
        "hosts:\n  s:\n    pfs:\n      em1: 7\n      em1: 8\n",
        "5:7: hosts.s.pfs.em1: this key stands here twice, first on line 4",
    ),
    "VLAN": (
        HEAD + "vms:\n  v:\n    pairs:\n      - vlan: 4095\n",
        "9:15: vms.v.pairs[0].vlan: 4095 (expected a whole number from 0 to 4094)",
    ),
    # one key is fine, two together are not
    "VF beyond the count": (
        "hosts:\n  s:\n    pfs:\n      em1: {vfs: 7, vf: {7: {vlan: 1}}}\n",
        "4:26: hosts.s.pfs.em1.vf.7: no VF 7 on em1; allowed: 0 to 6",
    ),
    "VF of a PF without VFs": (
        "hosts:\n  s:\n    pfs:\n      em1: {vfs: 0, vf: {0: {vlan: 1}}}\n",
        "4:26: hosts.s.pfs.em1.vf.0: no VF 0 on em1; allowed: none, as vfs is 0",
    ),
    "one MAC address for all VFs": (
        "hosts:\n  s:\n    pfs:\n      em1:\n        vfs: 7\n        vf:\n          all:\n"
        "            mac: 52:54:00:00:00:01\n",
        "8:18: hosts.s.pfs.em1.vf.all.mac: one MAC address for several VFs of one port",
    ),
    "rates after merging": (
        "hosts:\n  s:\n    pfs:\n      em1:\n        vfs: 2\n        vf:\n"
        "          all: {min_rate: 100}\n          1: {max_rate: 50}\n",
        "8:11: hosts.s.pfs.em1.vf.1: VF 1 of em1: min_rate 100 is above max_rate 50 Mbit/s",
    ),
    "priority without a VLAN": (
        "hosts:\n  s:\n    pfs:\n      em1: {vfs: 2, vf: {all: {qos: 3}}}\n",
        "4:26: hosts.s.pfs.em1.vf.all: VF 0 of em1: qos and vlan_proto are of a VLAN: give a vlan "
        "too",
    ),
    "one slot, two names": (
        "hosts:\n  s:\n    pfs:\n      em1: {vfs: 7, pci: 01:00.0}\n"
        "      em2: {vfs: 7, pci: 01:00.0}\n",
        "5:26: hosts.s.pfs.em2.pci: slot 0000:01:00.0 is already that of em1: one port, two names",
    ),
    "two slots for one port": (
        "hosts:\n  s:\n    pfs:\n      01:00.0: {vfs: 7, pci: 02:00.0}\n",
        "4:30: hosts.s.pfs.'01:00.0'.pci: 0000:01:00.0 and 0000:02:00.0 are two slots for one port",
    ),
    "one permanent address, two ports": (
        "hosts:\n  s:\n    pfs:\n      em1: {vfs: 7, mac: 52:54:00:00:00:01}\n"
        "      52-54-00-00-00-01: 7\n",
        "5:26: hosts.s.pfs.52-54-00-00-00-01: 52:54:00:00:00:01 is already that of em1 of s",
    ),
    "two pools of one name": (
        "hosts:\n  s:\n    pfs:\n      em1: {vfs: 7, pool: x}\n      em2: {vfs: 7, pool: x}\n",
        "5:27: hosts.s.pfs.em2.pool: pool 'x' is already over em1",
    ),
    "a pool by the name that another gets by itself": (
        "hosts:\n  s:\n    pfs:\n      em1: {vfs: 7, pool: passthrough_em2}\n      em2: 7\n",
        "5:12: hosts.s.pfs.em2: pool 'passthrough_em2' is already over em1",
    ),
    "pool over 0 VFs": (
        "hosts:\n  s:\n    pfs:\n      em1: {vfs: 0, pool: x}\n",
        "4:27: hosts.s.pfs.em1.pool: a pool over em1, which is to have 0 VFs",
    ),
    "VM on a PF without VFs": (
        "hosts:\n  s:\n    pfs: {em1: 0}\nvms:\n  v:\n",
        "5:3: vms.v: v takes a VF of em1, which is to have 0 VFs",
    ),
    "VM on a PF without a pool": (
        "hosts:\n  s:\n    pfs: {em1: {vfs: 7, pool: false}}\nvms: {v: }\n",
        "4:7: vms.v: v takes a VF of em1, which has no pool (pool: false)",
    ),
    "more pairs than VFs": (
        "hosts:\n  s:\n    pfs: {em1: 1}\nvms:\n  a: {pairs: [{}]}\n  b: {pairs: [{}]}\n",
        "6:15: vms.b.pairs[0]: more pairs want a VF of em1 than the 1 it is to have",
    ),
    "two VMs on one MAC address": (
        HEAD + "vms:\n  a: {pairs: [{mac: {em1: 52:54:00:00:00:01}}]}\n"
        "  b: {pairs: [{mac: {em2: 52:54:00:00:00:01}}]}\n",
        "8:27: vms.b.pairs[0].mac.em2: MAC address 52:54:00:00:00:01 of b on em2 is already that "
        "of a, pair 0",
    ),
    "a VM on the MAC address of a PF": (
        "hosts:\n  s:\n    pfs: {em1: {vfs: 7, mac: 52:54:00:00:00:01}}\n"
        "vms:\n  a: {pairs: [{mac: {em1: 52:54:00:00:00:01}}]}\n",
        "5:27: vms.a.pairs[0].mac.em1: MAC address 52:54:00:00:00:01 of a on em1 is already that "
        "of em1 of s",
    ),
    "both legs the same": (
        HEAD + "vms: {v: {pairs: [{legs: [em1, em1]}]}}\n",
        "6:20: vms.v.pairs[0].legs: both legs are em1: a pair is of two PFs",
    ),
    "leg that the host does not have": (
        HEAD + "vms: {v: {pairs: [{legs: [em1, em3]}]}}\n",
        "6:32: vms.v.pairs[0].legs[1]: server-2 has no PF 'em3' here; it has: em1, em2",
    ),
    "MAC address of no leg": (
        HEAD + "vms: {v: {pairs: [{legs: [em1], mac: {em2: 52:54:00:00:00:01}}]}}\n",
        "6:44: vms.v.pairs[0].mac.em2: em2 is no leg of this pair; its legs: em1",
    ),
    "legs not clear": (
        "hosts:\n  s:\n    pfs: {a: 1, b: 1, c: 1}\nvms: {v: }\n",
        "4:7: vms.v: s has 3 PFs: say which two are this pair's legs",
    ),
    "host not clear": (
        "hosts:\n  s: {pfs: {a: 1}}\n  t: {pfs: {a: 1}}\nvms: {v: }\n",
        "4:7: vms.v: the rack has 2 hosts: say which one v is on",
    ),
    "no such host": (
        HEAD + "vms: {v: {host: server-3}}\n",
        "6:17: vms.v.host: no host 'server-3' here; there are: server-2",
    ),
    "one host, two names": (
        "hosts:\n  s: {pfs: {a: 1}}\n  t: {address: s, pfs: {a: 1}}\n",
        "3:16: hosts.t.address: t and s are one host, two names",
    ),
    "no such switch": (
        "switches: [switch-1]\nhosts:\n  s:\n    pfs: {em1: {vfs: 7, switch: switch-2}}\n",
        "4:33: hosts.s.pfs.em1.switch: no switch 'switch-2' in switches; there are: switch-1",
    ),
    # the YAML itself
    "empty": ("", "1:1: nothing in the file (at least hosts with their pfs)"),
    "comments only": ("# a\n", "1:1: nothing in the file (at least hosts with their pfs)"),
    "a list": ("- a\n", "1:1: a list (a mapping with the key hosts at its top)"),
    "a word": ("a\n", "1:1: 'a' (a mapping with the key hosts at its top)"),
    "tab": ("hosts:\n\ts:\n", "2:1: a tab: YAML takes blanks only"),
    "indent": (
        "hosts:\n  s:\n    pfs: {}\n   user: a\n",
        "4:4: this line fits none of the indents above",
    ),
    "quote never closed": (
        "hosts:\n  'a: 3\n",
        "2:3: the file ends inside quotes or brackets",
    ),
    "two documents": ("hosts: {}\n---\nhosts: {}\n", "2:1: a second document: a rack file is one"),
    "unknown alias": ("hosts: *a\n", "1:8: found undefined alias 'a'"),
    "merge key": (
        HEAD + "vms:\n  a: &a {}\n  b:\n    <<: *a\n",
        "9:5: vms.b: <<, which YAML 1.2 does not have (write the keys out)",
    ),
    "tag": (
        HEAD + "vms: {a: !!python/object/apply:os.system {}}\n",
        "6:10: vms.a: the tag tag:yaml.org,2002:python/object/apply:os.system (no tags)",
    ),
    "YAML 1.1, where on is true": (
        "%YAML 1.1\n---\nhosts: {}\n",
        "1:1: %YAML 1.1 (YAML 1.2: take this line out)",
    ),
    "nested too deep": (
        "- " * 100_000,
        "1:1: brackets or aliases nested too deep (a handful of levels)",
    ),
    "alias bomb": (
        "a: &a [0,0,0,0,0,0,0,0,0]\n"
        + "".join(
            f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n"
            for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "1:1: YAML cannot be read here: more than 200000 keys and values, aliases counted each "
        "time",
    ),
    "not UTF-8": (
        b"# \xc3\xa9\nhosts: \xff\n",
        "2:8: the byte 0xff, which is no UTF-8 (save the file as UTF-8)",
    ),
    "UTF-16": (
        "hosts: {}\n".encode("utf-16"),
        "1:1: the byte 0xff, which is no UTF-8 (save the file as UTF-8)",
    ),
    "control character": ("# a\nhosts: a\x01\n", "2:9: the character '\\x01' (text)"),
    "half a character": (
        HEAD + 'rack: "\\ud800"\n',
        "6:7: rack: half a character in '\\ud800' (Unicode text)",
    ),
    "number without end": (
        HEAD + f"rack: {'9' * 5000}\n",
        f"6:7: rack: '{'9' * 60}', which is no number that can be used here",
    ),
}


BRINGS_ANOTHER = ("half a character", "tag", "number without end")
"""What these leave in place of the value is wrong too."""


@pytest.mark.parametrize("name", BAD)
def test_bad_file(tmp_path: Path, name: str) -> None:
    text, said = BAD[name]
    errors = refused(tmp_path, text)
    assert said in errors
    assert len(errors) == 1 or name in BRINGS_ANOTHER


def test_alias_to_itself(tmp_path: Path) -> None:
    assert any(
        "an alias of something that it is itself part of" in line
        for line in refused(tmp_path, "hosts: &a\n  s: *a\n")
    )


def test_all_errors_at_once_by_line(tmp_path: Path) -> None:
    text = (
        "hosts:\n  s:\n    pfs:\n      em1: seven\n      em2: {vsf: 7}\n"
        "vms:\n  1.0:\n  b: {running: on}\n  b: {}\n"
    )
    lines = [int(error.split(":")[0]) for error in refused(tmp_path, text)]
    assert lines == [4, 5, 5, 7, 8, 9]


def test_no_more_errors_than_a_person_reads(tmp_path: Path) -> None:
    errors = refused(tmp_path, HEAD + "".join(f"x{i}: 1\n" for i in range(50)))
    assert len(errors) == MOST_FAULTS + 1
    assert errors[-1] == f"… and {50 - MOST_FAULTS} more"


def test_long_values_are_shortened(tmp_path: Path) -> None:
    (error,) = refused(tmp_path, HEAD + f"switches: {'x' * 10_000}\n")
    assert len(error) < 200


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("none.yaml", "no file"),
        ("", "is a directory"),
        ("a\0b", "cannot be read"),
        ("x" * 300, "cannot be read"),
        ("large.yaml", "is larger than 1 MiB"),
    ],
)
def test_file_that_cannot_be_read(tmp_path: Path, path: str, said: str) -> None:
    with (tmp_path / "large.yaml").open("wb") as large:
        large.truncate(100 * LARGEST_FILE)
    with pytest.raises(RackError, match=said) as caught:
        load(tmp_path / path)
    assert caught.value.mend


NOBODY = 65534
"""Debian's user id for nobody."""


def test_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "rack.yaml"
    path.write_text(HEAD)
    path.chmod(0)
    myself = os.geteuid()
    if myself == 0:
        os.seteuid(NOBODY)
    try:
        with pytest.raises(RackError, match="may not be read"):
            load(path)
    finally:
        os.seteuid(myself)


def domain(name: str, *interfaces: str) -> str:
    devices = "".join(interfaces)
    return f"<domain type='kvm'><name>{name}</name><devices>{devices}</devices></domain>"


BAD_DOMAINS = {
    "missing": (None, "No such file or directory"),
    "no XML": (b"VM-2", "no XML: syntax error: line 1, column 0"),
    "no domain": (b"<network/>", "<network> where libvirt wants <domain>"),
    "another's name": (
        domain("VM-3").encode(),
        "<name> is 'VM-3', the rack file calls the VM 'VM-2'",
    ),
    "no name": (b"<domain/>", "<name> is None, the rack file calls the VM 'VM-2'"),
    "not UTF-8": (b"<domain>\xff</domain>", "not UTF-8 at byte 8"),
    "an SR-IOV card by address": (
        domain("VM-2", "<interface type='hostdev'/>").encode(),
        "an SR-IOV card of its own; VFs come from the VM's pairs",
    ),
    "an SR-IOV card by pool": (
        domain(
            "VM-2", "<interface type='network'><source network='passthrough_em1'/></interface>"
        ).encode(),
        "an SR-IOV card of its own; VFs come from the VM's pairs",
    ),
    "entities": (b"<!DOCTYPE d [<!ENTITY a 'b'>]><domain>&a;</domain>", "a document type"),
}


@pytest.mark.parametrize(("content", "said"), BAD_DOMAINS.values(), ids=BAD_DOMAINS.keys())
def test_bad_domain_file(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "VM-2.xml").write_bytes(content)
    (error,) = refused(tmp_path, HEAD + "vms:\n  VM-2:\n    domain: VM-2.xml\n")
    assert error.startswith("8:13: vms.VM-2.domain: ")
    assert f"VM-2.xml: {said}" in error


def test_domain_file_is_read_beside_the_rack_file(tmp_path: Path) -> None:
    bridge = "<interface type='bridge'><source bridge='br0'/></interface>"
    (tmp_path / "VM-2.xml").write_text(domain("VM-2", bridge))
    (tmp_path / "rack.yaml").write_text(HEAD + "vms: {VM-2: {domain: VM-2.xml}}\n")
    (want,) = wants(tmp_path / "rack.yaml")
    assert want.vms[0].domain == domain("VM-2", bridge)


GOOD_NAMES = ["VM-2", "on", "机房-1", "a b", "it's", '"', "$(reboot)", "`x`", "a;b", "no", "é&<>"]


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_names_that_libvirt_takes(tmp_path: Path, name: str) -> None:
    path = tmp_path / "rack.yaml"
    quoted = "'" + name.replace("'", "''") + "'"
    path.write_text(HEAD + f"vms:\n  {quoted}:\n", encoding="utf-8")
    assert list(load(path).vms) == [name]


def test_yaml_12_words(tmp_path: Path) -> None:
    """on, off, yes and addresses with colons are text, without quotes."""
    path = tmp_path / "rack.yaml"
    path.write_text(
        "\ufeffhosts:\n  yes:\n    pfs:\n"
        "      52:54:00:12:34:56: {vfs: 7, autoprobe: off, vf: {all: {spoofchk: on}}}\n"
        "      01:00.0: {vfs: 0x2}\n"
        "vms:\n  on: {pairs: [{mac: {01:00.0: 02-00-00-10-20-30}}]}\n  2024-01-01: {}\n",
        encoding="utf-8",
    )
    rack = load(path)
    assert list(rack.hosts["yes"].pfs) == ["52:54:00:12:34:56", "0000:01:00.0"]
    assert list(rack.vms) == ["on", "2024-01-01"]
    assert rack.mac_of("on", 0, "0000:01:00.0") == "02:00:00:10:20:30"
    (want,) = wants(path)
    assert want.pfs[0].autoprobe is False
    assert want.pfs[0].vf[6].spoofchk == "on"


PLAIN = ["calvin", "12345678", "1e5", "env:", "file:", "keyring:x", "env:a b", "Env:X", "[calvin]"]


@pytest.mark.parametrize("password", PLAIN)
def test_a_password_is_not_repeated(tmp_path: Path, password: str) -> None:
    (error,) = refused(tmp_path, BMC + f"      password: {password}\n")
    assert error.startswith("6:")
    assert password.strip("[]") not in error.partition(" (")[0]
    assert "calvin" not in error


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file or directory"), ("", "no certificate in PEM form")],
)
def test_bad_file_of_authorities(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    (error,) = refused(tmp_path, BMC + "      password: env:P\n      authority: ca.pem\n")
    assert error == f"7:18: hosts.s.bmc.authority: {tmp_path / 'ca.pem'}: {said}"


def test_paths_are_beside_the_rack_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "racks"
    folder.mkdir()
    (folder / "rack.yaml").write_text(
        BMC + "      password: file:pass word\n      known_hosts: ../known\n"
    )
    monkeypatch.chdir(tmp_path)
    (want,) = wants(Path("racks/rack.yaml"))
    assert want.bmc is not None
    assert want.bmc.password == f"file:{folder}/pass word"
    assert want.bmc.known_hosts == f"{folder}/../known"


def test_ten_lines_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "rack.yaml"
    path.write_text(HEAD + "vms:\n  VM-2:\n  VM-3:\n")
    (want,) = wants(path)
    assert [pf.vfs for pf in want.pfs] == [7, 7]
    assert [[nic.pool for nic in vm.nics] for vm in want.vms] == [
        ["passthrough_em1", "passthrough_em2"]
    ] * 2


def test_hosts_in_the_order_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "rack.yaml"
    path.write_text("hosts:\n  a: {pfs: {em1: 1}}\n  b: {pfs: {em1: 1}}\n")
    assert [want.name for want in wants(path)] == ["a", "b"]
    assert [want.name for want in wants(path, ["b", "a", "b"])] == ["b", "a"]
    with pytest.raises(UsageError, match="no host 'c'"):
        wants(path, ["c"])
