"""Plans in a file: what ``plan -o`` saves and ``apply`` takes, JSON with a version and digests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from pydantic import ValidationError

from sriovctl.errors import UsageError
from sriovctl.plan import Frozen, Plan
from sriovctl.wanted import HostWant

MARK: Final = b'"sriovctl-plan"'
"""Within the first bytes of every plan file, and of no other."""


class SavedPlan(Frozen):
    """One host's plan, with all that is needed to make it again and compare."""

    want: HostWant
    plan: Plan
    digest: str
    """Of the plan: it tells a file that was edited from one that was not."""
    address: str | None = None
    """The way to the host, as in the rack file; all three None: its name, or this machine."""
    port: int | None = None
    user: str | None = None


class PlanFile(Frozen):
    """The whole file."""

    format: Literal["sriovctl-plan"] = "sriovctl-plan"
    version: Literal[1] = 1
    hosts: tuple[SavedPlan, ...]


def save(plans: Iterable[SavedPlan]) -> str:
    """The file's text, always the same for the same plans."""
    return PlanFile(hosts=tuple(plans)).model_dump_json(indent=2) + "\n"


def load(text: str) -> tuple[SavedPlan, ...]:
    """The plans of a file that :func:`save` wrote.

    :raises UsageError: no plan file, one of another version, or one that was edited
    """
    again = "make it again: sriovctl plan RACK -o FILE"
    try:
        file = PlanFile.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UsageError(
            f"this is no plan file that can be read: {where}: {first['msg']}",
            "it was not saved by plan -o, or by another version of sriovctl",
            again,
        ) from None
    for saved in file.hosts:
        if saved.plan.digest != saved.digest:
            raise UsageError(
                f"the plan for {saved.want.name} does not match its digest",
                "the file was changed after it was saved",
                again,
            )
    return file.hosts
