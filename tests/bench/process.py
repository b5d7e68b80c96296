"""A server under test: started as a process of its own, watched through /proc, stopped by its id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60.0
STOP_SECONDS = 30.0
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
ROOT = Path(__file__).resolve().parents[2]


class ServerFailed(Exception):
    """A server did not start or did not stop; the text ends with the last lines it wrote."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    process: subprocess.Popen[bytes]
    port: int

    def cpu_seconds(self) -> float:
        """Processor time of the server and its children so far."""
        return sum(_cpu_seconds(pid) for pid in _family(self.process.pid))

    def peak_megabytes(self) -> float:
        """The most memory that was ever resident (VmHWM), children included."""
        return sum(_peak_kilobytes(pid) for pid in _family(self.process.pid)) / 1024


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str], port: int, log: Path) -> Iterator[Server]:
    """Start a server, wait until it listens, and stop it with SIGTERM at the end."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=_environment(environment), cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_it_listens(process, port, log)
        yield Server(process, port)
    finally:
        _stop(process)


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without anybody's worker settings, and with what the server needs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLUICEGATE_")}
    return {**kept, **more}


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise ServerFailed(f"no server on port {port}; it wrote: {log.read_text(errors='replace')[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise ServerFailed(f"the server did not stop within {STOP_SECONDS:.0f} s of SIGTERM") from None


def _family(pid: int) -> Iterator[int]:
    """A process and everything that it started."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from _family(int(child))


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children that ended (proc(5), fields 14 to 17)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS_PER_SECOND


def _peak_kilobytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0
