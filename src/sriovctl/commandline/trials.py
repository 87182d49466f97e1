"""``trial``: outages on purpose, measured."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from sriovctl.commandline.options import (
    Commands,
    above_zero,
    agent_boot_timeout,
    count,
    fleet_options,
    json_option,
    seconds,
    verb,
)

FAILOVER_WAYS = ("pf-down", "vf-link", "unbind", "cable", "switch")
"""What ``--way`` takes; :data:`sriovctl.trial.ways.WAYS`, which is not light to import."""
_WHERE_ASKED = ", where it is to say the VM's address"


def add_parsers(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add them to the command line, each with its help."""
    trial = commands.add_parser(
        "trial",
        help="does it hold, what does it bring: outages on purpose and throughput, measured",
    )
    kinds = trial.add_subparsers(metavar="TRIAL", required=True)
    _failover(kinds)
    _bench(kinds)


def failover_of_gate(words: Sequence[str]) -> argparse.Namespace:
    """The arguments of ``trial failover``, as ``apply --gate`` has them.

    :param words: the rack file, and options
    """
    top = argparse.ArgumentParser(prog="sriovctl apply --gate:")
    add_parsers(top.add_subparsers())
    return top.parse_args(["trial", "failover", *words])


def _failover(kinds: Commands[argparse.ArgumentParser]) -> None:
    failover = kinds.add_parser(
        "failover",
        help="take each leg of a VM's pair away and give it back, under traffic",
        description="Sends to a VM, takes a leg of its pair away and gives it back, in each way "
        "that can be gone here, and says how long the VM was silent. Exit code 0: every outage was "
        "over and within the budget. 3: one was not. 4: somebody else would be cut off. The host "
        "gives a leg back by itself if this is killed. Of many VMs (--all, --limit) no two are "
        "tried at the same time; one that is refused or fails stops no other.",
    )
    failover.add_argument("rack", help="rack file")
    failover.add_argument(
        "vms", metavar="vm", nargs="*", help="a VM of it that runs; several go one after the other"
    )
    failover.add_argument(
        "--all", action="store_true", help="every VM with a pair that runs, on every host"
    )
    fleet_options(failover)
    failover.add_argument(
        "--together",
        action="store_true",
        help="take each leg from the named VMs at once; they are on the same two ports of one host",
    )
    _address_option(failover, "[VM=]IP")
    failover.add_argument(
        "--way",
        action="append",
        choices=FAILOVER_WAYS,
        help="only this way, can be given several times (default: each that can be gone, "
        "but unbind, after which the guest must take the card into its bond again by itself)",
    )
    failover.add_argument(
        "--rate",
        type=above_zero,
        default=1000,
        metavar="N",
        help="packets/s (default: 1000)",
    )
    for name, default, words in (
        ("away", 5, "how long a leg is away (default: 5)"),
        ("back", 10, "how long is watched after it is back; the bond's updelay is added where it "
         "is known (default: 10)"),
        ("patience", 60, "how long to wait for the VM to answer (default: 60)"),
        ("answer-timeout", 60, "for a host to take a leg away, to give it back, or to say what is "
         "there (default: 60)"),
        ("confirm-timeout", 30, "a leg that nobody gives back comes back by itself so much later "
         "than it should have (default: 30)"),
    ):  # fmt: skip
        failover.add_argument(f"--{name}", type=seconds, default=default, metavar="S", help=words)
    agent_boot_timeout(failover, _WHERE_ASKED)
    failover.add_argument(
        "--budget", type=above_zero, metavar="MS", help="no outage may be longer than this"
    )
    failover.add_argument(
        "--from",
        dest="sender",
        metavar="HOST",
        help="send from there: [user@]name[:port], with Python 3 (default: from here)",
    )
    failover.add_argument(
        "--lab",
        metavar="NAME",
        help="the host is in this lab: send from its switch, cut its cables and switches too",
    )
    failover.add_argument(
        "--force", action="store_true", help="also where somebody else would be cut off"
    )
    failover.add_argument(
        "--picture", metavar="FILE", help="the answers over time, as SVG; FILE.png: as PNG"
    )
    json_option(failover)
    failover.set_defaults(run=verb("failover", "trial.command"))


def _bench(kinds: Commands[argparse.ArgumentParser]) -> None:
    bench = kinds.add_parser(
        "bench",
        help="VMs on bridges and on VFs and their host itself, measured in turns",
        description="Throughput of TCP and UDP both ways, rate of small packets, latency, and the "
        "host's CPU for each Gbit, by iperf3 and ping. Each VM needs a running iperf3 server "
        "(iperf3 -s), the host and the sender need iperf3. Compares with the last bench, and is "
        "kept for the next.",
    )
    bench.add_argument("rack", help="rack file")
    bench.add_argument("vms", metavar="vm", nargs="+", help="VMs of one host that run")
    _address_option(bench, "VM=IP")
    for name, default, words in (
        ("runs", 5, "of each measure (default: 5)"),
        ("seconds", 5, "of each run (default: 5)"),
    ):
        bench.add_argument(f"--{name}", type=count, default=default, metavar="N", help=words)
    for name, default, words in (
        ("patience", 60, "how long to wait for a VM and its iperf3 server to answer (default: 60)"),
        ("run-timeout", 30, "a run that is so much longer under way than it should be is ended and "
         "left out (default: 30)"),
        ("answer-timeout", 60, "for a host to say what is there (default: 60)"),
    ):  # fmt: skip
        bench.add_argument(f"--{name}", type=seconds, default=default, metavar="S", help=words)
    agent_boot_timeout(bench, _WHERE_ASKED)
    bench.add_argument(
        "--from",
        dest="sender",
        metavar="HOST",
        help="send from there: [user@]name[:port], with iperf3 (default: from here)",
    )
    bench.add_argument(
        "--lab", metavar="NAME", help="the host is in this lab: send from its switch"
    )
    bench.add_argument(
        "--picture", metavar="FILE", help="medians and spreads, as SVG; FILE.png: as PNG"
    )
    json_option(bench)
    bench.set_defaults(run=verb("bench", "trial.bench.command"))


def _address_option(trial: argparse.ArgumentParser, metavar: str) -> None:
    trial.add_argument(
        "--address",
        action="append",
        metavar=metavar,
        help="of a VM (default: the rack file's, under its bond, or what its guest agent says)",
    )
