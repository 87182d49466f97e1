"""Drivers of VFs: VFIO for VMs, their network driver for the host itself."""

from __future__ import annotations

from sriovctl.chain.vfs import runs_of
from sriovctl.drivers import driver
from sriovctl.host import PF, Holder
from sriovctl.plan import Step
from sriovctl.shell import command
from sriovctl.wanted import PFWant


def steps(want: PFWant, pf: PF, holders: dict[str, Holder]) -> list[Step]:
    """What gives VFs the drivers that the rack file wants; VFs in use keep theirs."""
    name = pf.name or want.name
    fresh = want.vfs != pf.numvfs
    found = []
    present = {} if fresh else {vf.index: vf for vf in pf.vfs}
    for choice in ("vfio-pci", "network"):
        target = _driver_name(choice, pf)
        indices = [wish.index for wish in want.vf if wish.driver == choice]
        wrong = [
            index
            for index in indices
            if index not in present
            or (present[index].driver != target and present[index].pci not in holders)
        ]
        if target is None or not wrong:
            continue
        if fresh and choice == "network" and want.autoprobe:
            continue
        undo = [bind(pf, present[i].driver, [i]) for i in wrong if i in present]
        found.append(
            Step(
                link="nics",
                title=f"{name}: bind VF{'s' if len(wrong) > 1 else ''} "
                f"{runs_of(wrong)} to {target}",
                reason=f"the rack file wants driver: {choice}",
                do=bind(pf, target, wrong),
                check=command("vf_drivers_are", pf.pci, target, *wrong),
                undo=" && ".join(undo),
            )
        )
    return found


def without_known_driver(want: PFWant, pf: PF, holders: dict[str, Holder]) -> list[int]:
    """VFs that are to have their network driver and do not, where nobody knows its name."""
    fresh = want.vfs != pf.numvfs
    if _driver_name("network", pf) is not None or (fresh and want.autoprobe):
        return []
    bound = {
        vf.index
        for vf in pf.vfs
        if not fresh and (vf.driver not in (None, "vfio-pci") or vf.pci in holders)
    }
    return [w.index for w in want.vf if w.driver == "network" and w.index not in bound]


def of_new_vfs(want: PFWant, pf: PF) -> tuple[str, ...]:
    """Lines of shell that give VFs their drivers after they were made, as at boot."""
    lines = []
    for choice in ("vfio-pci", "network"):
        indices = [wish.index for wish in want.vf if wish.driver == choice]
        target = _driver_name(choice, pf)
        if indices and target and not (choice == "network" and want.autoprobe):
            lines.append(bind(pf, target, indices))
    return tuple(lines)


def _driver_name(choice: str, pf: PF) -> str | None:
    return choice if choice == "vfio-pci" else driver(pf.driver).vf_driver


def bind(pf: PF, name: str | None, indices: list[int]) -> str:
    """A line of shell that binds VFs to a driver; to none for None."""
    return command("bind_vfs", pf.pci, name or "", *indices)
