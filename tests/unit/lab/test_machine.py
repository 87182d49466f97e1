"""QEMU's command line, as the tried recipe wants it; processes that are really ours."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sriovctl.lab import firmware
from sriovctl.lab.accelerator import Accelerator
from sriovctl.lab.firmware import Firmware
from sriovctl.lab.layout import Server
from sriovctl.lab.machine import Process, command_line, console_tail, running

EMULATED = Accelerator("tcg", "for the test")


def words(
    server: Server,
    accelerator: Accelerator = EMULATED,
    switches: Firmware | None = None,
    has_bmc: bool = False,
) -> list[str]:
    return command_line(
        server,
        Path("/run/l/server"),
        lab="l",
        qemu="qemu",
        accelerator=accelerator,
        ssh_port=2222,
        taps={"em1": 7, "em2": 8},
        credentials={"system.hostname": Path("/run/l/c/system.hostname")},
        firmware=switches or firmware.everything(server),
        has_bmc=has_bmc,
    )


def values(line: list[str], option: str) -> list[str]:
    return [line[i + 1] for i, word in enumerate(line) if word == option]


def test_recipe_of_the_lab_notes() -> None:
    line = words(Server(2))
    assert values(line, "-machine") == ["q35,kernel-irqchip=split"]
    assert values(line, "-accel") == ["tcg"]
    assert values(line, "-cpu") == ["max,-erms,-fsrm,-fzrm,-fsrs,-fsrc"]
    assert int(values(line, "-m")[0]) <= 2700
    assert "intel-iommu,intremap=on,caching-mode=on,device-iotlb=on" in values(line, "-device")


def test_kvm_takes_the_machines_own_processor() -> None:
    line = words(Server(2), Accelerator("kvm", "it ran"))
    assert values(line, "-accel") == ["kvm"]
    assert values(line, "-cpu") == ["host"]


def test_each_card_has_its_own_root_port_and_tap() -> None:
    line = words(Server(3))
    devices = values(line, "-device")
    assert "igb,bus=rp1,netdev=em1,mac=52:54:00:00:03:01,romfile=" in devices
    assert "igb,bus=rp2,netdev=em2,mac=52:54:00:00:03:02,romfile=" in devices
    assert sum(device.startswith("pcie-root-port,") for device in devices) == 2
    assert {"tap,id=em1,fd=7", "tap,id=em2,fd=8"} <= set(values(line, "-netdev"))


@pytest.mark.parametrize("accelerator", [EMULATED, Accelerator("kvm", "it ran")])
def test_virtualization_off_takes_processor_flag_and_iommu(accelerator: Accelerator) -> None:
    line = words(Server(2), accelerator, Firmware(False, frozenset({"em1", "em2"})))
    (processor,) = values(line, "-cpu")
    assert {"-svm", "-vmx"} <= set(processor.split(","))
    assert not [device for device in values(line, "-device") if "iommu" in device]


def test_port_without_sriov_is_on_a_conventional_bus_in_the_same_place() -> None:
    with_both, with_one = (
        values(words(Server(2), switches=Firmware(True, frozenset(ports))), "-device")
        for ports in (("em1", "em2"), ("em2",))
    )
    assert "pci-bridge,id=rp1,bus=pcie.0,chassis_nr=1,shpc=off" in with_one
    assert "igb,bus=rp1,addr=0,netdev=em1,mac=52:54:00:00:02:01,romfile=" in with_one
    differ = [pair for pair in zip(with_both, with_one, strict=True) if pair[0] != pair[1]]
    assert [len({word.split(",")[0] for word in pair}) for pair in differ] == [2, 1]


def test_bmc_hears_of_reboots() -> None:
    line = words(Server(2), has_bmc=True)
    assert values(line, "-action") == ["reboot=shutdown"]
    assert "unix:/run/l/server/events.sock,server=on,wait=off" in values(line, "-qmp")
    assert "-action" not in words(Server(2))


def test_peer_has_plain_cards() -> None:
    devices = values(words(Server(1)), "-device")
    assert not [device for device in devices if device.startswith("igb")]
    assert "virtio-net-pci,netdev=em1,mac=52:54:00:00:01:01,romfile=" in devices


def test_management_leads_nowhere_but_to_ssh_on_loopback() -> None:
    (user,) = [net for net in values(words(Server(2)), "-netdev") if net.startswith("user,")]
    assert "restrict=on" in user
    assert "hostfwd=tcp:127.0.0.1:2222-:22" in user


def test_credentials_come_by_fw_cfg() -> None:
    name = "opt/io.systemd.credentials/system.hostname"
    assert values(words(Server(2)), "-fw_cfg") == [f"name={name},file=/run/l/c/system.hostname"]


def test_process_is_known_by_its_start_too() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        ours = Process(child.pid, int(fields[19]))
        another = Process(child.pid, int(fields[19]) + 1)
        assert ours.alive()
        assert not another.alive()
        another.end()
        assert child.poll() is None
        ours.end()
        assert not ours.alive()
    finally:
        child.kill()
        child.wait()


def test_no_process_file_is_off(tmp_path: Path) -> None:
    assert running(tmp_path) is None
    (tmp_path / "process.json").write_text("{")
    assert running(tmp_path) is None
    (tmp_path / "process.json").write_text(f'{{"pid": {os.getpid()}, "started": 1}}')
    assert running(tmp_path) is None


def test_console_tail_is_readable(tmp_path: Path) -> None:
    assert "nothing" in console_tail(tmp_path)
    (tmp_path / "console.log").write_text("\x1b[0;1mone\r\n\n" + "x\n" * 30 + "last\n")
    tail = console_tail(tmp_path, lines=3)
    assert tail.splitlines()[-1].strip() == "last"
    assert "\x1b" not in tail


@pytest.mark.parametrize("number", [1, 2, 9])
def test_sockets_fit_a_unix_address(number: int) -> None:
    folder = Path("/run/sriovctl-lab") / ("a" * 20) / Server(number).name
    assert len(str(folder / "serial.sock")) < 108
