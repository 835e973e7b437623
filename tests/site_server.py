"""The site as served by the job: a real server process with its queues, which can be killed and restarted."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from conftest import make_config
from genreatlas.web.publishing import publish
from genreatlas.web.site_data import SiteData
from one_file_models import save_model
from site_factory import site_data

ROOT = Path(__file__).parents[1]


class SiteServer:
    """A site of generated data in a folder, with a model that classifies noise and tones."""

    def __init__(self, home: Path, *overrides: str, data: SiteData | None = None) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = one.getsockname()[1]
        self.home = home
        self.address = f"http://127.0.0.1:{self.port}"
        self.overrides = [
            f"web.path={home}/site", f"models.path={home}/models", "clip.seconds=2.0", f"web.port={self.port}",
            "web.requests_per_minute=100000", "web.uploads_per_minute=100000", *overrides,
        ]  # fmt: skip
        self.config = make_config(home, *self.overrides)
        meta = save_model(self.config, "m1")
        facts = {"model_id": "m1", "candidate": "sklearn logistic", "feature_set": "summary9", "n_genres": 2,
                 "set_version": meta.set_version, "score_kind": meta.score_kind}  # fmt: skip
        publish(data or site_data(files=home, model=facts), self.config.web.path, "one")
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "SiteServer":
        self.start()
        return self

    def __exit__(self, fault: object, *_: object) -> None:
        if fault is None:
            self.stop()
        elif self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    def start(self) -> None:
        """Start the server and wait until it responds."""
        command = [sys.executable, str(ROOT / "jobs" / "serve_web.py"), *(f"--set={one}" for one in self.overrides)]
        with (self.home / "output").open("ab") as output:
            self.process = subprocess.Popen(
                command, env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "lib"), *sys.path])},
                stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        until = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(f"{self.address}/rest/genres", timeout=10):
                    return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < until, self.output()
                time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server gracefully."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, self.output()

    def kill(self) -> None:
        """Kill the server process without stopping its queues."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def queues(self) -> list[int]:
        """Ids of the processes that analyse files."""
        assert self.process
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        started = [pid for task in tasks for pid in (task / "children").read_text().split()]
        return [int(pid) for pid in started if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def output(self) -> str:
        """Output of the server."""
        return (self.home / "output").read_text()

    def health(self) -> dict:
        """Response of ``/health``."""
        with urllib.request.urlopen(f"{self.address}/health", timeout=20) as answer:
            return json.load(answer)
