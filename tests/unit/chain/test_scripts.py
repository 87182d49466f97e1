"""A stage's script has every function that its steps call, whichever links the stage has."""

from __future__ import annotations

import re

from hypothesis import given, settings

from sriovctl import chain
from sriovctl.host import HostState
from sriovctl.plan import Stage
from sriovctl.transaction import compile_stage
from sriovctl.wanted import HostWant
from tests.unit.chain.hostmodel import commands
from tests.unit.chain.worlds import hosts, wants

DEFINITION = re.compile(r"^(\w+)\(\) *\{", re.MULTILINE)


@settings(max_examples=40)
@given(want=wants(), have=hosts())
def test_steps_of_one_link_alone_find_their_functions(want: HostWant, have: HostState) -> None:
    plan = chain.plan(want, have)
    for link in {step.link for step in plan.steps}:
        steps = tuple(step for step in plan.steps if step.link == link)
        script = compile_stage(Stage(title="one link", steps=steps), host=want.name)
        called = {
            words[0]
            for step in steps
            for part in (step.do, step.check, step.undo)
            for words in commands(part)
        }
        assert called <= set(DEFINITION.findall(script))


@settings(max_examples=40)
@given(want=wants(), have=hosts())
def test_functions_call_only_functions_that_are_there(want: HostWant, have: HostState) -> None:
    """The links' own functions name each other; none may be in a file that is left out."""
    ours = set(DEFINITION.findall(_everything()))
    plan = chain.plan(want, have)
    for link in {step.link for step in plan.steps}:
        steps = tuple(step for step in plan.steps if step.link == link)
        script = compile_stage(Stage(title="one link", steps=steps), host=want.name)
        defined = set(DEFINITION.findall(script))
        library = script[: script.index("step_1_do()")]
        used = set(re.findall(r"\b\w+\b", re.sub(r"#.*", "", library))) & ours
        assert used <= defined


def _everything() -> str:
    from importlib.resources import files

    folder = files("sriovctl").joinpath("chain")
    names = ("nics.sh", "virsh.sh", "pools.sh", "guests.sh", "drive.sh")
    return "\n".join(folder.joinpath(name).read_text("utf-8") for name in names)
