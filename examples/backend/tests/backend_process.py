"""The backend as it is deployed: uvicorn in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

APP_DIR = Path(__file__).parent.parent


class Backend:
    """Context manager: starts on entry, ends with SIGTERM on exit."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.port = free_port()
        self._environment = environment
        self._log = log
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Backend":
        self.process = start_uvicorn(self._environment, self.port, self._log)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.client.get("/")
                return self
            except httpx.TransportError:
                assert self.process.poll() is None, self.log()
                assert time.monotonic() < deadline, "the backend did not start: " + self.log()
                time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise

    def log(self) -> str:
        return self._log.read_text()

    def metric(self, sample: str) -> float:
        """Value of one sample, given as in the exposition: name{label="…"}."""
        for line in self.client.get("/metrics").text.splitlines():
            name, _, value = line.rpartition(" ")
            if name == sample:
                return float(value)
        return 0.0

    def wait_for(self, path: str, condition, seconds: float = 15) -> httpx.Response:
        """GET `path` until the answer satisfies `condition`; return that answer."""
        deadline = time.monotonic() + seconds
        while not condition(answer := self.client.get(path)):
            assert time.monotonic() < deadline, f"{path} still {answer.status_code}: {answer.text}"
            time.sleep(0.1)
        return answer


def start_uvicorn(environment: dict[str, str], port: int, log: Path) -> subprocess.Popen[bytes]:
    """Start uvicorn with only `environment` set besides PATH."""
    command = [
        sys.executable, "-m", "uvicorn", "app.main:app", "--host", "127.0.0.1",
        "--port", str(port), "--app-dir", str(APP_DIR),
    ]  # fmt: skip
    variables = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"} | environment
    with log.open("wb") as output:
        return subprocess.Popen(command, env=variables, stdout=output, stderr=output, cwd="/")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
