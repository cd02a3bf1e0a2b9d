"""`GPUSpawner` by plain import, without ``gpuspawner.setup``."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from jupyterhub.tests.mocking import MockHub
from tests.ports import a_port

from gpuspawner.capacity.shared import stop_shared_clusters

from .conftest import HERE, AnybodyAuthenticator, Hub

HubApp = Callable[[dict[str, Any]], Awaitable[MockHub]]


def configuration(catalog: Path, directory: Path) -> dict[str, Any]:
    proxy = Path(sys.executable).with_name("configurable-http-proxy")
    return {
        "JupyterHub": {
            "authenticator_class": AnybodyAuthenticator,
            "bind_url": f"http://127.0.0.1:{a_port()}/base/",
            "cookie_secret": b"0" * 32,
            "spawner_class": "gpu",
        },
        "Authenticator": {"manage_groups": True},
        "ConfigurableHTTPProxy": {"command": [str(proxy)], "pid_file": str(directory / "proxy")},
        "KubeSpawner": {"k8s_api_host": "http://127.0.0.1:1"},
        "GPUSpawner": {"catalog_file": str(catalog), "first_look_timeout": 0.1},
    }


async def form_of(app: MockHub, name: str) -> tuple[int, str]:
    hub = Hub(app, None, app.proxy.public_url)  # type: ignore[arg-type] # there is no cluster
    visitor = await hub.visitor(name)
    answer = await visitor.get("hub/spawn")
    await visitor.session.close()
    await stop_shared_clusters()
    app.proxy.stop()
    app.proxy.proxy_process.wait(10)
    app.db_file.close()
    return answer.status, answer.text


async def test_it_offers_the_catalog_and_calls_an_absent_cluster_unknown(
    hub_app: HubApp, tmp_path: Path
) -> None:
    app = await hub_app(configuration(HERE / "catalog.yaml", tmp_path))
    status, text = await form_of(app, "gpu-users-1")
    assert status == 200
    assert text.count('data-standing="unknown"') == 3
    assert "unknown: the cluster cannot be reached" in text


async def test_without_a_catalog_it_refuses_with_words_and_the_hub_stays_up(
    hub_app: HubApp, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = await hub_app(configuration(tmp_path / "none.yaml", tmp_path))
    status, text = await form_of(app, "gpu-users-1")
    assert status == 503
    assert "The list of server profiles cannot be read at the moment." in text
    assert str(tmp_path) not in text
    assert str(tmp_path / "none.yaml") in caplog.text
