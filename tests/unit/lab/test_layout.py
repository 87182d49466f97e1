"""Names, numbers and addresses of the lab."""

from __future__ import annotations

import pytest

from sriovctl.errors import UsageError
from sriovctl.lab.layout import Server, check_name, namespace, servers, tap_name


def test_servers_count_from_two() -> None:
    assert [server.name for server in servers(2, peer=False)] == ["server-2", "server-3"]


def test_peer_is_server_1_without_sriov() -> None:
    peer, host = servers(1, peer=True)
    assert (peer.name, host.name) == ("server-1", "server-2")
    assert [port.sriov for port in peer.ports] == [False, False]
    assert [port.sriov for port in host.ports] == [True, True]


@pytest.mark.parametrize("count", [0, -1, 10])
def test_count_out_of_range(count: int) -> None:
    with pytest.raises(UsageError, match="1 to 9"):
        servers(count, peer=False)


def test_ports_have_the_guides_cables_and_fixed_macs() -> None:
    em1, em2 = Server(2).ports
    assert (em1.name, em1.switch, em1.mac) == ("em1", "switch-1", "52:54:00:00:02:01")
    assert (em2.name, em2.switch, em2.mac) == ("em2", "switch-2", "52:54:00:00:02:02")
    assert Server(2).management_mac == "52:54:00:00:02:00"
    assert Server(2).address == "10.8.0.2"


def test_no_mac_twice() -> None:
    macs = [port.mac for server in servers(9, peer=True) for port in server.ports]
    assert len(set(macs)) == len(macs)


def test_unknown_port_names_the_known() -> None:
    with pytest.raises(UsageError, match="em3") as caught:
        Server(2).port("em3")
    assert "em1, em2" in caught.value.mend


@pytest.mark.parametrize("name", ["lab", "dev-2", "a", "0", "a" * 20])
def test_good_names(name: str) -> None:
    assert check_name(name) == name
    assert len(namespace(name)) < 64


@pytest.mark.parametrize("name", ["", "-a", "A", "a b", "a/b", "..", "a" * 21, "$(x)", "ä", "a\n"])
def test_bad_names(name: str) -> None:
    with pytest.raises(UsageError):
        check_name(name)


def test_tap_names_fit_an_interface_name() -> None:
    names = [tap_name(server, port) for server in servers(9, True) for port in server.ports]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 15
