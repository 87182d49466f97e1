"""The floor of ``fleet``: one command on many hosts by asyncssh, and nothing else.

Run as a program of its own: the script on standard input, hosts and ways as arguments.
"""

from __future__ import annotations

import asyncio
import sys

import asyncssh


async def _one(port: int, key: str, known_hosts: str, script: str) -> int:
    async with asyncssh.connect(
        "127.0.0.1", port, username="root", client_keys=[key], known_hosts=known_hosts, config=[]
    ) as connection:
        done = await connection.run("exec sh -s", input=script)
        return len(str(done.stdout))


async def _all(first: int, count: int, key: str, known_hosts: str, script: str) -> list[int]:
    ports = range(first, first + count)
    return await asyncio.gather(*(_one(port, key, known_hosts, script) for port in ports))


if __name__ == "__main__":
    first, count, key, known_hosts = sys.argv[1:]
    sizes = asyncio.run(_all(int(first), int(count), key, known_hosts, sys.stdin.read()))
    sys.exit(0 if all(sizes) else 1)
