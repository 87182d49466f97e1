"""Commands that change a host's bond, each with what takes it back."""

from __future__ import annotations

from dataclasses import dataclass, field

from sriovctl.chain import pairs
from sriovctl.host import PF, HostState
from sriovctl.shell import command


@dataclass
class Change:
    """Commands that make a change, each with what takes it back, and what must hold after."""

    do: list[str] = field(default_factory=list)
    undo: list[str] = field(default_factory=list)
    check: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    """What is changed, in few words."""
    mtus_back: list[str] = field(default_factory=list)
    """The part of the undo that gives back MTUs."""
    blips: bool = False
    """The link, the address or the way of somebody's packets changes."""
    moved: list[PF] = field(default_factory=list)
    """Ports that are taken down and up, in their order; one that goes out and in, twice."""

    def add(self, do: str, undo: str = "", check: str = "") -> None:
        """The next command."""
        self.do.append(do)
        if undo:
            self.undo.insert(0, undo)
        if check:
            self.check.append(check)

    def move(self, pf: PF, bond: str, way: str, have: HostState, do: str, undo: str) -> None:
        """A port in or out, when VMs on it are on their other legs; so in the undo too.

        :param way: ``into`` or ``out_of``
        """
        self._take_down(pf, bond, (way, "out_of" if way == "into" else "into"), have, do, undo)

    def leg_mtu(self, pf: PF, bond: str, wanted: int, before: int, have: HostState) -> None:
        """A leg's own MTU, in the same way."""
        do, undo = (command("set_leg_mtu", pf.pci, size) for size in (wanted, before))
        self._take_down(pf, bond, (wanted, before), have, do, undo)

    def _take_down(
        self, pf: PF, bond: str, ways: tuple[str | int, ...], have: HostState, do: str, undo: str
    ) -> None:
        way, back = ways
        if leave := pairs.leave(bond, pf, have, way, first=not self.moved):
            self.do.append(leave)
        leave = pairs.leave(bond, pf, have, back, undo=True)
        self.add(do, " && ".join(filter(None, (leave, undo))))
        self.moved.append(pf)
        self.blips = True
