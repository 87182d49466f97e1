"""The packets of the pinger, without a socket."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriovctl.trial.pinger import answered, checksum, request

NUMBERS = st.integers(0, 2**40)
MARKS = st.integers(0, 2**16 - 1)
IP_HEADER = bytes([0x46, *[0] * 23])
"""24 bytes: with an option, so that its length must be read."""


def reply(packet: bytes, kind: int) -> bytes:
    return bytes([kind]) + packet[1:]


@given(MARKS, NUMBERS)
def test_checksum_of_a_request_holds(mark: int, number: int) -> None:
    assert checksum(request(socket.AF_INET, mark, number)) == 0


@given(MARKS, NUMBERS)
def test_a_reply_tells_its_number(mark: int, number: int) -> None:
    four = reply(request(socket.AF_INET, mark, number), 0)
    six = reply(request(socket.AF_INET6, mark, number), 129)
    assert answered(socket.AF_INET, mark, IP_HEADER + four) == number
    assert answered(socket.AF_INET6, mark, six) == number


def test_others_packets_are_none_of_ours() -> None:
    mine = request(socket.AF_INET, 7, 1)
    assert answered(socket.AF_INET, 7, IP_HEADER + mine) is None, "a request, not a reply"
    assert answered(socket.AF_INET, 8, IP_HEADER + reply(mine, 0)) is None, "another's mark"
    assert answered(socket.AF_INET, 7, IP_HEADER + b"\0" * 8) is None, "too short"


def test_checksum_as_in_the_rfc() -> None:
    # RFC 1071, section 3: the sum of these is ddf2
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


@pytest.mark.parametrize("number", [0, 65535, 65536, 2**33])
def test_sequence_number_is_the_lower_half(number: int) -> None:
    assert struct.unpack("!H", request(socket.AF_INET, 1, number)[6:8])[0] == number % 65536
