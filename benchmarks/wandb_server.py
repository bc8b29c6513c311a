"""W&B's server for one sweep, on this machine: as much of it as ``wandb sweep``, ``wandb agent`` and runs ask for.

The search is W&B's own, its package ``sweeps``. For tests and measurements, which have no account and no network; what
the hosted server does beyond that search is not imitated.
"""

import gzip
import json
import os
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import sweeps
import yaml

__all__ = ["SweepServer"]

_ENTITY, _PROJECT, _SWEEP = "someone", "lit_gan", "sweep"
_IN_PROJECT = {"id": _PROJECT, "name": _PROJECT, "entity": {"id": _ENTITY, "name": _ENTITY}}


class SweepServer(ThreadingHTTPServer):
    """Serves on a free port of 127.0.0.1 until the ``with`` block ends.

    ``runs`` holds what the search sees of each run, in the order in which they began: its config, state, history and
    summary.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.config: dict[str, Any] = {}
        self.runs: dict[str, sweeps.SweepRun] = {}
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> "SweepServer":
        Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hangs up, as W&B's do when they end."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def run(self, file: Path, folder: Path, *options: str, timeout: float = 7200) -> str:
        """Run ``wandb sweep`` on a file and ``wandb agent`` on the sweep, in ``folder``; return what they say."""
        programs, own = Path(sys.executable).parent, str(folder / "wandb")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
        environment |= {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": "0" * 40, "WANDB_PROJECT": _PROJECT}
        environment |= {"WANDB_CONFIG_DIR": own, "WANDB_CACHE_DIR": own, "WANDB_DATA_DIR": own}
        environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"
        said = ""
        for arguments in (["sweep", str(file)], ["agent", *options, f"{_ENTITY}/{_PROJECT}/{_SWEEP}"]):
            command = [str(programs / "wandb"), *arguments]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout)
            said += done.stdout + done.stderr
            if done.returncode:
                raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{said}")
        return said

    def best(self) -> sweeps.SweepRun:
        """Return the finished run whose goal was best at any time, which is what the search goes by."""
        name, goal = self.config["metric"]["name"], self.config["metric"]["goal"]
        finished = [run for run in self.runs.values() if run.state == "finished"]
        return (max if goal == "maximize" else min)(finished, key=lambda run: run.metric_extremum(name, goal))

    def commands(self, running: dict[str, bool]) -> list[dict[str, Any]]:
        """Return what an agent is to do: begin a run where it has none, end those that fell behind."""
        if running:
            stops = sweeps.stop_runs(self.config, list(self.runs.values())) if "early_terminate" in self.config else []
            return [{"type": "stop", "run_id": run.name} for run in stops if run.name in running]
        run = sweeps.next_run(self.config, list(self.runs.values()))
        if run is None or len(self.runs) == self.config.get("run_cap"):
            return [{"type": "exit"}]
        run.name, run.state = f"run{len(self.runs) + 1}", sweeps.RunState.running
        self.runs[run.name] = run
        return [{"type": "run", "run_id": run.name, "program": "", "args": run.config}]

    def take(self, name: str, stream: dict[str, Any]) -> None:
        """Take what a run logs, and how it ended."""
        run, files = self.runs[name], stream.get("files") or {}
        run.history += [json.loads(line) for line in files.get("wandb-history.jsonl", {}).get("content", [])]
        for line in files.get("wandb-summary.json", {}).get("content", []):
            run.summary_metrics = json.loads(line)
        if stream.get("complete"):
            run.exitcode = stream.get("exitcode") or 0
            run.state = sweeps.RunState.failed if run.exitcode else sweeps.RunState.finished

    def answer(self, question: str, about: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a question of W&B's programs, by its name."""
        match question:
            case "Viewer":
                return {"viewer": {"id": "1", "username": _ENTITY, "entity": _ENTITY, "teams": {"edges": []}}}
            case "UpsertSweep":
                self.config = yaml.safe_load(about["config"])
                violations = sweeps.schema_violations_from_proposed_config(self.config)
                sweep = {"name": _SWEEP, "project": _IN_PROJECT}
                return {"upsertSweep": {"sweep": sweep, "configValidationWarnings": violations}}
            case "SweepWithRuns":
                sweep = {"id": _SWEEP, "name": _SWEEP, "config": yaml.dump(self.config), "runs": {"edges": []}}
                return {"project": {"sweep": sweep}}
            case "CreateAgent":
                return {"createAgent": {"agent": {"id": "agent"}}}
            case "Heartbeat":
                commands = self.commands(json.loads(about["runState"]))
                return {"agentHeartbeat": {"agent": {"id": "agent"}, "commands": json.dumps(commands)}}
            case "UpsertBucket":
                run = {"id": about["name"], "name": about["name"], "config": "{}", "sweepName": _SWEEP}
                return {"upsertBucket": {"bucket": {**run, "project": _IN_PROJECT}, "inserted": True}}
            case "CreateRunFiles":
                files = [{"name": name, "uploadUrl": f"{self.url}/upload"} for name in about["files"]]
                return {"createRunFiles": {"runID": about["run"], "uploadHeaders": [], "files": files}}
        return {}


class _Handler(BaseHTTPRequestHandler):
    server: SweepServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer a question, or take a part of what a run logs."""
        body, answer = self._body(), {}
        if self.path == "/graphql":
            asked = json.loads(body)
            name = re.search(r"(?:query|mutation) (\w+)", asked["query"])
            answer = {"data": self.server.answer(name[1] if name else "", asked.get("variables") or {})}
        elif self.path.endswith("/file_stream"):
            self.server.take(self.path.split("/")[-2], json.loads(body))
        self._reply(answer)

    def do_PUT(self) -> None:
        """Take a file, and forget it."""
        self._body()
        self._reply({})

    do_GET = do_PUT  # noqa: N815

    def log_message(self, *message: Any) -> None:
        """Say nothing."""

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _reply(self, answer: dict[str, Any]) -> None:
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
