"""A real Redis Cluster of three primaries on loopback, with a password."""

import signal
import socket
import subprocess
import time
from pathlib import Path

PASSWORD = "p@ss/word:1"  # characters that must be percent-encoded in a URL
ENCODED_PASSWORD = "p%40ss%2Fword%3A1"
NODES = 3
# Redis adds 10000 for the cluster bus, so ports must stay below 55536.
HIGHEST_PORT = 55_535


class RedisCluster:
    """Reserves ports at once; runs between `start` and `stop`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ports = _free_ports(NODES)
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        return f"redis://:{ENCODED_PASSWORD}@127.0.0.1:{self.ports[0]}"

    @property
    def nodes(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def start(self) -> None:
        """Start the nodes and form the cluster; return when every node says it is ok."""
        for port in self.ports:
            home = self._folder / str(port)
            home.mkdir(parents=True)
            command = [
                "redis-server", "--port", str(port), "--bind", "127.0.0.1",
                "--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
                "--requirepass", PASSWORD, "--masterauth", PASSWORD,
                "--save", "", "--appendonly", "no",
                "--dir", str(home), "--logfile", str(home / "log"),
            ]  # fmt: skip
            self._processes.append(subprocess.Popen(command))
        for port in self.ports:
            _wait_until(lambda port=port: self.cli(port, "PING").strip() == "PONG")
        addresses = [f"127.0.0.1:{port}" for port in self.ports]
        created = self.cli(self.ports[0], "--cluster", "create", *addresses, "--cluster-yes")
        assert "All 16384 slots covered" in created, created
        for port in self.ports:
            _wait_until(lambda port=port: "cluster_state:ok" in self.cli(port, "CLUSTER", "INFO"))

    def cli(self, port: int, *arguments: str) -> str:
        """Run redis-cli against one node; return what it printed."""
        command = ["redis-cli", "-h", "127.0.0.1", "-p", str(port), *arguments]
        environment = {"REDISCLI_AUTH": PASSWORD, "PATH": "/usr/bin:/bin:/usr/local/bin"}
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=30, check=False
        )
        return result.stdout

    def keys(self, pattern: str) -> list[str]:
        """Every matching key, over all nodes."""
        return [key for port in self.ports for key in self.cli(port, "KEYS", pattern).split()]

    def kill_node(self, index: int) -> None:
        """Kill one node; its slots have no replica."""
        self._processes[index].kill()
        self._processes[index].wait(timeout=10)

    def hang_node(self, index: int) -> None:
        """Stop one node from answering while its connections stay open."""
        self._processes[index].send_signal(signal.SIGSTOP)

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait(timeout=10)
        self._processes.clear()


def _free_ports(count: int) -> list[int]:
    found: list[int] = []
    candidate = 21_000
    while len(found) < count:
        candidate += 1
        assert candidate < HIGHEST_PORT - 10_000, "no free ports"
        if _is_free(candidate) and _is_free(candidate + 10_000):
            found.append(candidate)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _wait_until(condition, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the Redis Cluster did not come up in time"
        time.sleep(0.05)
