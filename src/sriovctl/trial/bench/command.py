"""The command ``trial bench``: which VMs, from where; the rest is in the other modules."""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path as File

from sriovctl import ending, rackfile, reconcile, targets
from sriovctl.errors import UsageError
from sriovctl.host import HostState
from sriovctl.rack import Rack
from sriovctl.reach import Reach
from sriovctl.targets import Target
from sriovctl.trial import drawn, refusals, store
from sriovctl.trial.bench import picture
from sriovctl.trial.bench.result import Circumstances, Measured, Result, figures
from sriovctl.trial.bench.run import Bench, Path, Patience
from sriovctl.trial.setting import (
    AgentWait,
    Sending,
    address_by_agent,
    check_named,
    given_addresses,
    host_of_all,
    lab_place,
    only,
    running,
    say,
    say_nothing,
    sent_from,
)
from sriovctl.view.results import print_json


@ending.as_from_the_keyboard()
def bench(arguments: argparse.Namespace) -> int:
    """``sriovctl trial bench``: VMs and their host, measured in turns.

    :returns: 0
    """
    file = File(arguments.rack)
    drawn.check(arguments.picture)
    rack = rackfile.load(file)
    vms: list[str] = list(dict.fromkeys(arguments.vms))
    for vm in vms:
        check_named(rack, vm, file)
    given = given_addresses(arguments.address or (), vms)
    (target,) = targets.of_rack(arguments.rack, [host_of_all(rack, vms)])
    place = None if arguments.lab is None else lab_place(arguments.lab, target.name)
    if target.is_here and place is None and arguments.sender is None:
        raise UsageError(
            f"{target.name} is this machine",
            "what is sent from it to its own VMs does not cross its ports",
            "send from another: --from HOST",
        )
    known = {**_of_rack(rack, vms), **given}

    def trial(sending: Sending) -> Result:
        work = partial(_bench, arguments, rack.rack, vms, known, sending)
        return only(targets.each((target,), work, ssh_config=arguments.ssh_config))

    result = sent_from(arguments.sender, place, arguments.ssh_config, trial)
    for one in result.measured:
        document = one.document(result.circumstances)
        store.keep(_kind(one.path), rack.rack, one.path.name, document)
    if arguments.picture is not None:
        drawn.write(arguments.picture, picture.svg(result))
    if arguments.json:
        print_json(result.as_json())
    else:
        from sriovctl.trial.bench.table import print_result

        print_result(result)
    return 0


def _bench(
    arguments: argparse.Namespace,
    rack: str,
    vms: Sequence[str],
    known: dict[str, str],
    sending: Sending,
    host: Reach,
    target: Target,
) -> Result:
    answer_s = arguments.answer_timeout
    state = reconcile.look(host)
    telling = say_nothing if arguments.json else say
    by_agent = AgentWait(answer_s, arguments.agent_boot_timeout)

    def address_of(vm: str) -> str:
        return known.get(vm) or address_by_agent(host, vm, by_agent, telling)

    paths = [_path_to(vm, address_of, state) for vm in vms]
    own = host_address(_addresses(host, answer_s), [path.address for path in paths])
    skipped = []
    if own is None:
        skipped.append(f"{target.name}: it has no address in the network of {', '.join(vms)}")
    else:
        paths.append(Path(target.name, "host", own, _drivers(pf.driver for pf in state.pfs)))
    patience = Patience(arguments.patience, arguments.run_timeout, answer_s)
    bench = Bench(tuple(paths), sending, host, arguments.seconds, arguments.runs, patience, telling)
    found = bench.measure()
    circumstances = Circumstances(
        date=store.now(),
        rack=rack,
        host=target.name,
        kernel=host.run("uname -r\n", timeout_s=answer_s).stdout.strip(),
        sent_from=sending.reach.name,
        seconds=arguments.seconds,
    )
    measured = tuple(
        Measured(path, figures(found[path.name]), store.last(_kind(path), rack, path.name))
        for path in paths
    )
    return Result(circumstances, measured, (*skipped, *bench.skipped))


def host_address(own: Iterable[str], others: Sequence[str]) -> str | None:
    """The host's address in the network of the first of some others; None: it has none. Pure.

    :param own: addresses of the host with their prefix lengths
    """
    for written in own:
        interface = ipaddress.ip_interface(written)
        if ipaddress.ip_address(others[0]) in interface.network:
            return str(interface.ip)
    return None


def _addresses(host: Reach, answer_s: float) -> Iterator[str]:
    above = refusals.parse(host.run(refusals.LOOK, timeout_s=answer_s).stdout)
    for addresses in above.addresses.values():
        yield from addresses


def _path_to(vm: str, address_of: Callable[[str], str], state: HostState) -> Path:
    guest = running(vm, state)
    held = {nic.pci for nic in guest.live_nics if nic.pci is not None}
    ports = [pf for pf in state.pfs if held & {vf.pci for vf in pf.vfs}]
    return Path(
        name=vm,
        kind="VFs" if ports else "bridge",
        address=address_of(vm),
        driver=_drivers(pf.driver for pf in ports or state.pfs),
    )


def _drivers(names: Iterable[str | None]) -> str:
    return ", ".join(sorted({name for name in names if name}))


def _of_rack(rack: Rack, vms: Sequence[str]) -> dict[str, str]:
    """The first address that the rack file has of a VM's bonds."""
    return {
        vm: pair.bond.addresses[0].partition("/")[0]
        for vm in vms
        for pair in reversed(rack.vms[vm].pairs)
        if pair.bond.addresses
    }


def _kind(path: Path) -> store.Kind:
    return "bench-host" if path.kind == "host" else "bench"
