"""What all parts of the rack file have in common."""

from __future__ import annotations

from pydantic import ConfigDict

from sriovctl.plan import Frozen


class Written(Frozen):
    """A part of the rack file: taken as written, so that ``'7'`` and ``on`` stay text."""

    model_config = ConfigDict(strict=True)
