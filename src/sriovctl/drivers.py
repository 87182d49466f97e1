"""What is known of PF drivers: the table ``drivers.toml``, typed."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from sriovctl.plan import Frozen
from sriovctl.wanted import VFWant


class Driver(Frozen):
    """A PF's network driver, as far as it is known."""

    vf_driver: str | None = None
    """Network driver of its VFs."""
    refuses: tuple[str, ...] = ()
    """Attributes of :class:`sriovctl.wanted.VFWant`, with ``=value`` where only that is refused."""
    too_many: str = ""
    """Why fewer VFs are possible than the data sheet says."""
    spoofchk_comes_back: bool = False
    """It switches spoof checks on again whenever it resets the port, and goes on reporting off."""
    source: str = ""

    def refused_of(self, want: VFWant) -> list[str]:
        """The wishes that this driver is known to refuse, as ``attribute=value``."""
        wishes = [f"{key}={value}" for key, value in want.model_dump(exclude_none=True).items()]
        return [
            wish
            for wish in wishes
            if wish in self.refuses
            # a rate of 0 is "no limit", which a driver without limits fulfils
            or (wish.partition("=")[0] in self.refuses and not wish.endswith("_rate=0"))
        ]


@cache
def _table() -> dict[str, Driver]:
    text = files("sriovctl").joinpath("drivers.toml").read_text("utf-8")
    return {name: Driver(**entry) for name, entry in tomllib.loads(text).items()}


def driver(name: str | None) -> Driver:
    """What is known of a driver; nothing, for one that is not in the table."""
    return _table().get(name or "", Driver())
