"""Words of a kernel's command line are whole, the last one holds, and all others stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriovctl.boot.arguments import Arguments, holds, satisfied, says, set_arguments, words

WANTED = Arguments(
    present=("intel_iommu=on", "iommu=pt"),
    absent=("intel_iommu=off", "iommu=off", "amd_iommu=off"),
)


@pytest.mark.parametrize(
    ("line", "argument", "answer"),
    [
        ("iommu=pt", "iommu=pt", True),
        ("amd_iommu=pt", "iommu=pt", False),
        ("xiommu=pt iommu=ptx", "iommu=pt", False),
        ("intel_iommu=on,sm_on", "intel_iommu=on", True),
        ("intel_iommu=sm_on", "intel_iommu=on", False),
        ("intel-iommu=on", "intel_iommu=on", True),
        ("intel_iommu=on intel_iommu=off", "intel_iommu=on", False),
        ("intel_iommu=off intel_iommu=on", "intel_iommu=on", True),
        ("intel_iommu=on intel_iommu=sm_on", "intel_iommu=on", True),
        ("ixgbe.max_vfs=2 ixgbe.max_vfs=4", "ixgbe.max_vfs=2", False),
        ("ixgbe.max_vfs=4 ixgbe.max-vfs=2", "ixgbe.max_vfs=2", True),
        ("ixgbe.max_vfs=22", "ixgbe.max_vfs=2", False),
        ('x="intel_iommu=on y"', "intel_iommu=on", False),
        ('"intel_iommu=on"', "intel_iommu=on", True),
        ("quiet -- intel_iommu=on", "intel_iommu=on", False),
        ("pci=noaer,realloc", "pci=realloc", True),
        ("pci=realloc pci=realloc=off", "pci=realloc", False),
        ("", "iommu=pt", False),
    ],
)
def test_what_a_line_does(line: str, argument: str, answer: bool) -> None:
    assert holds(line, argument) is answer


def test_what_was_taken_back_is_still_said() -> None:
    assert says("iommu=off iommu=pt", "iommu=off")
    assert says("iommu=pt,off", "iommu=off")
    assert not says("amd_iommu=off", "iommu=off")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "intel_iommu=on iommu=pt"),
        ("ro quiet", "ro quiet intel_iommu=on iommu=pt"),
        ("ro  quiet\t ", "ro  quiet intel_iommu=on iommu=pt\t "),
        ("intel_iommu=off quiet", "intel_iommu=on quiet iommu=pt"),
        ("intel_iommu=off,sm_on iommu=pt", "intel_iommu=on,sm_on iommu=pt"),
        ("amd_iommu=off ro", "ro intel_iommu=on iommu=pt"),
        ("ro iommu=off,soft x", "ro iommu=soft,pt x intel_iommu=on"),
        ("intel_iommu=on,sm_on", "intel_iommu=on,sm_on iommu=pt"),
        ("intel_iommu=sm_on iommu=soft", "intel_iommu=sm_on,on iommu=soft,pt"),
        ("amd_iommu=pt", "amd_iommu=pt intel_iommu=on iommu=pt"),
        ("ro -- single", "ro intel_iommu=on iommu=pt -- single"),
        ('dyndbg="file pci* +p" ro', 'dyndbg="file pci* +p" ro intel_iommu=on iommu=pt'),
    ],
)
def test_what_becomes_of_a_line(before: str, after: str) -> None:
    assert set_arguments(before, WANTED) == after
    assert set_arguments(after, WANTED) == after


def test_a_plain_value_is_replaced_where_it_holds() -> None:
    line = "ixgbe.max_vfs=8 ro ixgbe.max_vfs=4"
    wanted = Arguments(present=("ixgbe.max_vfs=2",))
    assert set_arguments(line, wanted) == "ixgbe.max_vfs=8 ro ixgbe.max_vfs=2"


WORDS = st.one_of(
    st.sampled_from(
        [
            *("intel_iommu=on", "intel_iommu=off", "intel_iommu=sm_on,off", "intel-iommu=on,off"),
            *("iommu=pt", "iommu=nopt", "iommu=off", "iommu=off,soft", "amd_iommu=off"),
            *("amd_iommu=pt", "quiet", "ro", "root=UUID=1", "--", "iommu.passthrough=0"),
            *('"iommu=off"', 'a="b c"', 'x="unended', "igb.max_vfs=3", "pci=realloc=off"),
        ]
    ),
    st.text(st.characters(codec="utf-8"), max_size=8),
)
LINES = st.lists(st.tuples(WORDS, st.sampled_from([" ", "  ", "\t", "\n"]))).map(
    lambda parts: "".join(word + blank for word, blank in parts)
)
CHOICES = st.builds(
    Arguments,
    present=st.lists(
        st.sampled_from(["intel_iommu=on", "iommu=pt", "igb.max_vfs=7", "pci=realloc"]),
        unique=True,
    ).map(tuple),
    absent=st.lists(
        st.sampled_from(["intel_iommu=off", "iommu=off", "amd_iommu=off"]), unique=True
    ).map(tuple),
)


@given(LINES, CHOICES)
def test_the_result_is_as_wanted_and_stays(line: str, wanted: Arguments) -> None:
    after = set_arguments(line, wanted)
    assert satisfied(after, wanted)
    assert set_arguments(after, wanted) == after
    if satisfied(line, wanted):
        assert after == line


@given(LINES, CHOICES)
def test_words_of_others_stay_in_their_order(line: str, wanted: Arguments) -> None:
    ours = ("intel_iommu", "intel-iommu", "iommu=", "amd_iommu", "igb.max_vfs", "pci=")

    def others(text: str) -> list[str]:
        return [w for w in words(text) if not w.lstrip('"').startswith(ours)]

    assert others(set_arguments(line, wanted)) == others(line)


@given(LINES)
def test_what_was_added_can_be_taken_away_again(line: str) -> None:
    new = Arguments(present=("intel_iommu=on", "ixgbe.max_vfs=2"))
    if any(
        w.lstrip('"').replace("-", "_").startswith(("intel_iommu", "ixgbe.")) for w in words(line)
    ):
        return
    after = set_arguments(line, new)
    assert set_arguments(after, Arguments(absent=new.present)) == line
