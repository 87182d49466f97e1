"""The published schemas are those of the code, and take what the loader takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given

from sriovctl.host import HostState, Kernel, System
from sriovctl.plan import Plan, Stage, Step
from sriovctl.rackfile import load
from sriovctl.schema import KINDS, Kind, schema, schema_of
from sriovctl.yamltree import parse

from .test_rack_properties import racks, read, yaml_of
from .test_rackfile import BAD

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
RACK = jsonschema.Draft202012Validator(schema_of("rack"))


def as_an_editor_sees_it(text: str) -> Any:
    """JSON has no keys but text."""
    return json.loads(json.dumps(parse(text).value))


@pytest.mark.parametrize("kind", KINDS)
def test_published_schema_is_fresh(kind: Kind) -> None:
    path = ROOT / "docs" / "schema" / f"{kind}.json"
    assert path.read_text("utf-8") == schema(kind), (
        f"mend: .venv/bin/sriovctl schema {kind} > docs/schema/{kind}.json"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_schema_is_sound(kind: Kind) -> None:
    jsonschema.Draft202012Validator.check_schema(schema_of(kind))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples(path: Path) -> None:
    load(path)
    text = path.read_text("utf-8")
    RACK.validate(as_an_editor_sees_it(text))
    first = text.splitlines()[0]
    assert first == "# yaml-language-server: $schema=../docs/schema/rack.json"


def test_there_are_examples() -> None:
    assert {path.stem for path in EXAMPLES} >= {"machine-room", "one-host"}


def test_one_host_is_ten_lines() -> None:
    text = (ROOT / "examples" / "one-host.yaml").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) <= 10


@given(racks)
def test_every_sound_rack_passes_in_an_editor(written: Any) -> None:
    data = yaml_of(written)
    if read(data) is not None:
        RACK.validate(as_an_editor_sees_it(data.decode()))


SEEN_BY_AN_EDITOR = (
    "unknown key, a slip of the pen",
    "missing key",
    "no hosts",
    "hosts empty",
    "word for a number",
    "true for on",
    "on for true",
    "three legs",
    "pool that is neither a name nor false",
    "MAC address",
    "PCI address",
    "VLAN",
)


@pytest.mark.parametrize("name", SEEN_BY_AN_EDITOR)
def test_an_editor_sees_what_is_wrong(name: str) -> None:
    text = BAD[name][0]
    assert isinstance(text, str)
    assert not RACK.is_valid(as_an_editor_sees_it(text))


def test_every_key_of_the_rack_file_is_described() -> None:
    models = {"Rack": schema_of("rack"), **schema_of("rack")["$defs"]}
    bare = [
        f"{model}.{key}"
        for model, body in models.items()
        for key, field in body["properties"].items()
        if "description" not in field
    ]
    assert bare == []


def test_a_state_and_a_plan_pass_their_schemas() -> None:
    kernel = Kernel(
        release="6.12",
        boot_id="b",
        cpu_vendor=None,
        virtualization=None,
        kvm=False,
        arguments=("ro",),
    )
    system = System(hostname="h", os="o", init="systemd", root=True, tools=("ip",), libvirt=False)
    state = HostState(system=system, kernel=kernel, files={"/etc/x": "y"})
    jsonschema.validate({"h": state.model_dump(mode="json")}, schema_of("host"))
    step = Step(link="nics", title="t", reason="r", do="d", check="c", undo="u")
    plan = Plan(host="h", stages=(Stage(title="t", steps=(step,)),))
    jsonschema.validate({"h": plan.model_dump(mode="json")}, schema_of("plan"))
