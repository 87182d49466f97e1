"""ICMP echo at a set rate: a program of its own, of the standard library only.

It runs from its own text (``python3 -c TEXT ADDRESS RATE SECONDS``), so that it needs nothing of
sriovctl's where it runs: in a lab's network namespace, here, or on another host. ``ping`` would be
smaller still, but knows whole milliseconds only and falls behind: of 1000 packets/s that were asked
for, iputils 20221126 sent 630 to 790 on a busy machine.

It prints, times in microseconds since 1970::

    pid 4711                    to be ended with TERM; it ends by itself after SECONDS
    answer SENT RECEIVED        as it comes
    announced MOMENT MAC        a gratuitous ARP of the address, on the way to it (IPv4 only)
    lost SENT                   at the end, each that was not answered
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import struct
import sys
import time

LINGER_S = 1.0
"""How long late answers are waited for at the end."""
BURST = 50
"""Packets that are sent at once after a pause of this process; the rest of what is due is dropped
from the schedule, or the pause would end in a flood."""
# RFC 792 and RFC 4443: type of an echo request, and of its reply
ECHO = {socket.AF_INET: (8, 0), socket.AF_INET6: (128, 129)}
PROTOCOL = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}


def checksum(data: bytes) -> int:
    """RFC 1071, for data of even length."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def request(family: int, mark: int, number: int) -> bytes:
    """An echo request with 32 bits of number, of which ICMP's own field has the lower 16.

    :param mark: 16 bits that tell this program's answers from another's
    """
    kind = ECHO[socket.AddressFamily(family)][0]
    body = struct.pack("!HHQ", mark, number & 0xFFFF, number)
    # of ICMPv6 the kernel makes it
    total = checksum(struct.pack("!BBH", kind, 0, 0) + body) if family == socket.AF_INET else 0
    return struct.pack("!BBH", kind, 0, total) + body


def answered(family: int, mark: int, packet: bytes) -> int | None:
    """The number of the request that a packet answers; None: it answers none of ours."""
    if family == socket.AF_INET:
        packet = packet[(packet[0] & 0x0F) * 4 :]  # a raw socket gives the IP header too
    if len(packet) < 16 or packet[0] != ECHO[socket.AddressFamily(family)][1]:
        return None
    theirs, _, number = struct.unpack("!HHQ", packet[4:16])
    return number if theirs == mark else None


SIOCGIFADDR = 0x8915  # Linux sockios.h
ETH_P_ARP = 0x0806
ARP = struct.Struct("!HHBBH6s4s6s4s")  # RFC 826, Ethernet and IPv4


def announced(packet: bytes, address: str) -> str | None:
    """The MAC address that a gratuitous ARP says to have an address; None: it is none of it."""
    if len(packet) < ARP.size:
        return None
    _, _, _, _, _, mac, sender, _, target = ARP.unpack(packet[: ARP.size])
    if sender != target or sender != socket.inet_aton(address):
        return None
    return bytes(mac).hex(":")


def device_towards(address: str) -> str | None:
    """The network device whose own IPv4 address is the sender's of what goes to an address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.connect((address, 9))
        own = socket.inet_aton(way.getsockname()[0])
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):
                asked = struct.pack("256s", name.encode())
                if fcntl.ioctl(way, SIOCGIFADDR, asked)[20:24] == own:
                    return name
    return None


def announcements(family: int, address: str) -> socket.socket | None:
    """Hears ARP on the way to an address; None where there is none, or it cannot be heard."""
    if family != socket.AF_INET:
        return None
    with contextlib.suppress(OSError):
        device = device_towards(address)
        if device is not None:
            ear = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ARP))
            ear.bind((device, ETH_P_ARP))
            ear.setblocking(False)
            return ear
    return None


def main() -> None:
    """Send and listen until TERM comes or the time is over."""
    address, rate, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    family, _, _, _, target = socket.getaddrinfo(address, None)[0]
    mark = os.getpid() & 0xFFFF
    stopped = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    out = sys.stdout
    out.write(f"pid {os.getpid()}\n")
    out.flush()
    waiting: dict[int, int] = {}
    wire = socket.socket(family, socket.SOCK_RAW, PROTOCOL[socket.AddressFamily(family)])
    wire.setblocking(False)
    ear = announcements(family, str(target[0]))
    heard = [wire] if ear is None else [wire, ear]
    began = time.monotonic()
    number = dropped = 0
    ends = None
    while ends is None or time.monotonic() < ends:
        now = time.monotonic()
        if ends is None and (stopped or now - began >= seconds):
            ends = now + LINGER_S
        if ends is None:
            due = int((now - began) * rate) + 1 - number - dropped
            dropped += max(0, due - BURST)
            for _ in range(min(due, BURST)):
                waiting[number] = time.time_ns() // 1000
                # no route or no room just now: lost like any other
                with contextlib.suppress(OSError):
                    wire.sendto(request(family, mark, number), target)
                number += 1
            pause = began + (number + dropped) / rate - time.monotonic()
        else:
            pause = ends - now
        ready = select.select(heard, [], [], max(0.0, pause))[0]
        if ear is not None and ear in ready:
            _hear(ear, str(target[0]))
        if wire in ready:
            _listen(wire, family, mark, waiting)
        out.flush()
    for sent in waiting.values():
        out.write(f"lost {sent}\n")


def _hear(ear: socket.socket, address: str) -> None:
    while True:
        try:
            packet = ear.recv(2048)
        except OSError:
            return
        mac = announced(packet, address)
        if mac is not None:
            sys.stdout.write(f"announced {time.time_ns() // 1000} {mac}\n")


def _listen(wire: socket.socket, family: int, mark: int, waiting: dict[int, int]) -> None:
    while True:
        try:
            packet = wire.recv(2048)
        except OSError:
            return
        known = answered(family, mark, packet)
        sent = None if known is None else waiting.pop(known, None)
        if sent is not None:
            sys.stdout.write(f"answer {sent} {time.time_ns() // 1000}\n")


if __name__ == "__main__":
    main()
