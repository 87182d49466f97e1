"""A device's settings as a state machine: what is, what is pending, what may be changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sriovctl.lab.bmc.attributes import Attribute, Value
from sriovctl.lab.bmc.messages import RefusedError


class AttributesRefusedError(Exception):
    """Some of the attributes cannot be set so; none was."""

    def __init__(self, refusals: Sequence[RefusedError]) -> None:
        super().__init__("; ".join(str(refusal) for refusal in refusals))
        self.refusals = tuple(refusals)


class Settings:
    """Current and pending values of the BIOS, or of a network port.

    Setting only stages; :meth:`apply` is the server's next POST.
    """

    def __init__(self, attributes: Sequence[Attribute]) -> None:
        self.attributes = {attribute.name: attribute for attribute in attributes}
        self.current: dict[str, Value] = {
            attribute.name: attribute.value for attribute in attributes
        }
        self.pending: dict[str, Value] = {}

    def read_only(self, name: str, also: Mapping[str, Value] | None = None) -> bool:
        """Whether an attribute cannot be set: for good, or greyed out by another's value.

        A dependency looks at the value that is coming, else at the one that is.

        :param also: values about to be staged with it
        """
        attribute = self.attributes[name]
        if attribute.read_only:
            return True
        if attribute.needs is None:
            return False
        other, value = attribute.needs
        coming = {**self.current, **self.pending, **(also or {})}
        return coming[other] != value

    def stage(self, changes: Mapping[str, Value]) -> None:
        """Make values pending, all of them or none. A value that already is drops out.

        :raises AttributesRefusedError: unknown, read-only, or not an allowed value (case matters)
        """
        refusals = [
            refusal
            for name, value in changes.items()
            if (refusal := self._refusal(name, value, changes)) is not None
        ]
        if refusals:
            raise AttributesRefusedError(refusals)
        for name, value in changes.items():
            if self.current[name] == value:
                self.pending.pop(name, None)
            else:
                self.pending[name] = value

    def _refusal(
        self, name: str, value: Value, changes: Mapping[str, Value]
    ) -> RefusedError | None:
        if name not in self.attributes:
            return RefusedError("SYS429", name, attribute=name)
        if self.read_only(name, changes):
            return RefusedError("SYS428", name, attribute=name)
        if not acceptable(self.attributes[name], value):
            return RefusedError("SYS426", str(value), name, attribute=name)
        return None

    def discard(self) -> None:
        """Forget what is pending."""
        self.pending.clear()

    def apply(self, leave: frozenset[str] = frozenset()) -> None:
        """The server's POST takes the pending values over.

        :param leave: attributes that keep their value (they failed)
        """
        for name, value in self.pending.items():
            if name not in leave:
                self.current[name] = value
        self.pending.clear()

    def restore(self, name: str, text: str) -> None:
        """Set a current value as :meth:`switches` gave it."""
        self.current[name] = int(text) if self.attributes[name].kind == "Integer" else text

    def switches(self) -> dict[str, str]:
        """Current values as texts, passwords left out: what the machine boots with."""
        return {
            name: str(value)
            for name, value in self.current.items()
            if self.attributes[name].kind != "Password"
        }


def acceptable(attribute: Attribute, value: Value) -> bool:
    """Whether the attribute can have that value, of that type."""
    if attribute.kind == "Enumeration":
        return value in attribute.allowed
    if attribute.kind == "Integer":
        return (
            isinstance(value, int)
            and not isinstance(value, bool)
            and attribute.lower <= value <= attribute.upper
        )
    return isinstance(value, str) and attribute.lower <= len(value) <= attribute.upper
