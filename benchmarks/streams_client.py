"""Thousands of people who watch: one process, one epoll, as little work for each arrival as there can be.

Run as a program: ``python -m benchmarks.streams_client PORT`` takes a line of JSON for each command and answers one.

| command | answers |
|---|---|
| ``["open", N, path, at_once]`` | ``{"seconds"}`` when N more streams have had their first event |
| ``["stall", N, path]`` | the same for N clients with small windows that read the first event and then nothing more |
| ``["delays", ["<type>/<code>", …]]`` | ``{"p50", "p99", "lasts", "short"}``: how long after its ``at`` each of these updates |
| | arrived, at all clients together; when the last had it, one by one; how many are missing after ten seconds |
| ``["closed"]`` | ``{"closed"}``: how many streams have been ended from the other side |
"""

import json
import os
import select
import socket
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

IP_BIND_ADDRESS_NO_PORT = 24
PER_ADDRESS = 900
READ = 65536
FEW = 64
NAP = 0.001
PATIENCE = 10.0
CONNECTED = b"event: connected"
UPDATE = b"event: queue_update\ndata: "
END = b"\n\n\r\n"
# A person's window and a network's packets, not the loopback's: else the kernel alone keeps megabytes for each of them.
SMALL_WINDOW = 4096
PACKET = 1400


class Watchers:
    def __init__(self, port: int) -> None:
        self._port = port
        self._poll = select.epoll()
        self._poll.register(sys.stdin.fileno(), select.EPOLLIN)
        self._sockets: dict[int, socket.socket] = {}
        self._stalled: list[socket.socket] = []
        self._greeted: set[int] = set()
        self._tails: dict[int, bytes] = {}
        self._arrived: dict[bytes, list[float]] = {}
        self._begun = 0
        self._closed = 0

    def run(self) -> None:
        """Serves commands until the input ends."""
        commands: dict[str, Callable[..., dict[str, Any]]] = {
            "open": self._open,
            "stall": self._stall,
            "delays": self._delays,
            "closed": self._count_closed,
        }
        while True:
            if not self._turn():
                continue
            line = sys.stdin.readline()
            if not line:
                return
            name, *given = json.loads(line)
            print(json.dumps(commands[name](*given)), flush=True)

    def _open(self, many: int, path: str, at_once: int, *, small: bool = False) -> dict[str, float]:
        started = time.perf_counter()
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        wanted = len(self._sockets) + many
        while len(self._greeted) < wanted:
            while len(self._sockets) < wanted and len(self._sockets) - len(self._greeted) < at_once:
                self._connect(request, small=small)
            self._turn()
            if self._closed:
                raise ConnectionError("a stream was refused or closed")
        return {"seconds": time.perf_counter() - started}

    def _stall(self, many: int, path: str) -> dict[str, float]:
        before = set(self._sockets)
        took = self._open(many, path, 50, small=True)
        for fd in set(self._sockets) - before:
            self._poll.unregister(fd)
            self._stalled.append(self._sockets.pop(fd))
            self._greeted.discard(fd)
        return took

    def _connect(self, request: bytes, *, small: bool) -> None:
        """Comes from one of many loopback addresses, as people come from many networks."""
        one = socket.socket()
        one.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        if small:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_WINDOW)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, PACKET)
        one.bind((f"127.0.1.{1 + self._begun // PER_ADDRESS}", 0))
        one.connect(("127.0.0.1", self._port))
        one.sendall(request)
        one.setblocking(False)
        self._begun += 1
        self._sockets[one.fileno()] = one
        self._poll.register(one.fileno(), select.EPOLLIN)

    def _delays(self, wanted: list[str]) -> dict[str, Any]:
        until, whole = time.time() + PATIENCE, len(wanted) * len(self._sockets)
        told = self._told(wanted)
        while sum(len(times) for _, times in told) < whole and time.time() < until:
            self._turn()
            told = self._told(wanted)
        self._arrived = {}
        together = sorted(one - at for at, times in told for one in times)
        return {
            "p50": together[len(together) // 2],
            "p99": together[int(len(together) * 0.99)],
            "lasts": [max(times) - at if times else PATIENCE for at, times in told],
            "short": whole - len(together),
        }

    def _told(self, wanted: list[str]) -> list[tuple[float, list[float]]]:
        """When each update that is wanted happened, and when it arrived, as far as it has."""
        found: dict[str, tuple[float, list[float]]] = {}
        for data, times in self._arrived.items():
            told = json.loads(data)
            found[f"{told['type']}/{told['code']}"] = datetime.fromisoformat(told["at"]).timestamp(), times
        return [found.get(name, (0.0, [])) for name in wanted]

    def _count_closed(self) -> dict[str, int]:
        return {"closed": self._closed}

    def _turn(self) -> bool:
        """Waits for what comes and reads it; whether a command is among it."""
        asked = False
        come = self._poll.poll(1.0)
        if len(come) < FEW:
            # Who is woken for each arrival costs the server more than the arrival: a short nap gathers some.
            time.sleep(NAP)
        for fd, _ in come:
            if fd == 0:
                asked = True
                continue
            try:
                data = os.read(fd, READ)
            except ConnectionResetError:
                data = b""
            if data:
                self._read(fd, data, time.time())
            else:
                self._close(fd)
        return asked

    def _read(self, fd: int, data: bytes, now: float) -> None:
        if self._tails and fd in self._tails:
            data = self._tails.pop(fd) + data
        if not data.endswith(END):
            self._tails[fd] = data
            return
        at = data.find(UPDATE)
        if at < 0:
            if CONNECTED in data:
                self._greeted.add(fd)
            return
        while at >= 0:
            told = data[at + len(UPDATE) : data.index(b"\n", at + len(UPDATE))]
            self._arrived.setdefault(told, []).append(now)
            at = data.find(UPDATE, at + 1)

    def _close(self, fd: int) -> None:
        self._poll.unregister(fd)
        self._sockets.pop(fd).close()
        self._greeted.discard(fd)
        self._tails.pop(fd, None)
        self._closed += 1


if __name__ == "__main__":
    Watchers(int(sys.argv[1])).run()
