"""Debian's Prometheus and promtool, for the tests of metrics, rules and the dashboard."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import yaml
from tests.ports import a_port

REQUIRED = "GPUSPAWNER_TESTS_REQUIRE_PROMETHEUS"
ROOT = Path(__file__).parents[1]
RULES = ROOT / "helm-values" / "prometheus-rules.yaml"
DASHBOARD = ROOT / "helm-values" / "grafana-dashboard.json"


def binary(name: str) -> str:
    """Where it is; without it the test is skipped, or fails where it is required."""
    found = shutil.which(name)
    if found is None:
        words = f"there is no {name}: apt-get install prometheus"
        if os.environ.get(REQUIRED):
            pytest.fail(words)
        pytest.skip(words)
    return found


@dataclass
class Prometheus:
    """A server that scrapes one hub each second."""

    url: str

    async def get(self, path: str, **query: str) -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}{path}", params=query) as answer,
        ):
            return await answer.json()

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an expression, which has to be valid."""
        answer = await self.get("/api/v1/query", query=expression)
        assert answer["status"] == "success", (expression, answer)
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    async def values(self, expression: str) -> list[float]:
        return [float(one["value"][1]) for one in await self.query(expression)]


@contextmanager
def scraping(directory: Path, metrics: str, token: str) -> Iterator[Prometheus]:
    """A Prometheus that scrapes an address with a token, as an operator would have it do."""
    address = urlsplit(metrics)
    (directory / "token").write_text(token)
    job = {
        "job_name": "hub",
        "metrics_path": address.path,
        "authorization": {"credentials_file": str(directory / "token")},
        "static_configs": [{"targets": [address.netloc]}],
    }
    times = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    settings = {"global": times, "rule_files": [str(RULES)], "scrape_configs": [job]}
    (directory / "prometheus.yml").write_text(yaml.safe_dump(settings))
    listens = f"127.0.0.1:{a_port()}"
    command = [
        binary("prometheus"),
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address={listens}",
    ]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield Prometheus(f"http://{listens}")
        finally:
            process.terminate()
            process.wait(20)


def panels() -> dict[str, list[str]]:
    """The expressions of the dashboard by the title of their panel, as Grafana sends them."""
    return {
        panel["title"]: [
            target["expr"].replace("$job", ".*").replace("$__rate_interval", "1m")
            for target in panel["targets"]
        ]
        for panel in json.loads(DASHBOARD.read_text())["panels"]
    }
