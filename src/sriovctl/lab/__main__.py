"""`python -m sriovctl.lab`: the lab's commands alone."""

import argparse
import sys

from sriovctl.errors import SriovctlError
from sriovctl.lab.commands import add_parser

parser = argparse.ArgumentParser(prog="sriovctl")
add_parser(parser.add_subparsers(required=True))
arguments = parser.parse_args()
try:
    sys.exit(arguments.run(arguments))
except SriovctlError as error:
    sys.exit(f"{error}")
