"""A real control plane for a session, and a place of its own for each test."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest
from kubernetes_asyncio.client import Configuration
from tests.controlplane.kube import Api, connected, until
from tests.controlplane.plane import ControlPlane
from tests.controlplane.servers import (
    Server,
    administrator,
    make_namespace,
    real_server,
    simulated_server,
)

PROGRAM = "GPUSPAWNER_CONTROLPLANE"
REQUIRED = "GPUSPAWNER_TESTS_REQUIRE_CONTROLPLANE"
NONE = f"no real Kubernetes: {PROGRAM} is not set; .ci/controlplane builds one and runs these tests"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a real API server where there is none: from one place, so in one line."""
    callspec = getattr(item, "callspec", None)
    is_simulated = callspec is not None and callspec.params.get("server") == "simcluster"
    is_given = os.environ.get(PROGRAM) or item.config.getoption("--kubeconfig")
    if not is_given and not is_simulated and os.environ.get(REQUIRED) != "1":
        pytest.skip(NONE)


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane that tests may take down."""
    program = os.environ.get(PROGRAM)
    if not program:
        pytest.fail(NONE)
    with ControlPlane(Path(program), tmp_path_factory.mktemp("controlplane")) as running:
        yield running


@pytest.fixture(scope="session")
def kubeconfig(request: pytest.FixtureRequest) -> Path:
    """An administrator's, of the control plane or of the cluster of ``--kubeconfig``."""
    given = request.config.getoption("--kubeconfig")
    if given:
        return Path(given)
    running: ControlPlane = request.getfixturevalue("plane")
    return running.kubeconfig


@pytest.fixture
def own_plane(request: pytest.FixtureRequest) -> ControlPlane:
    """A control plane that is ours to take down."""
    if request.config.getoption("--kubeconfig"):
        pytest.skip("the API server of --kubeconfig is not ours to take down")
    running: ControlPlane = request.getfixturevalue("plane")
    return running


@pytest.fixture(autouse=True)
async def last_words() -> AsyncIterator[None]:
    """Let TLS say goodbye, which it does after a connection is closed, before the loop ends."""
    yield
    transports: Mapping[int, object] = getattr(asyncio.get_running_loop(), "_transports", {})

    async def all_are_closed() -> bool:
        # asyncio forgets the socket of a transport that has lost its connection.
        return not any(getattr(one, "_sock", None) for one in list(transports.values()))

    await until(all_are_closed)


@pytest.fixture
async def configuration(kubeconfig: Path) -> Configuration:
    return await administrator(kubeconfig)


@pytest.fixture
async def api(configuration: Configuration) -> AsyncIterator[Api]:
    """An administrator's client; what it creates for now is gone after the test."""
    async with connected(configuration) as client:
        yield client
        await client.forget()


@pytest.fixture
async def namespace(api: Api) -> str:
    """A namespace of the test's own."""
    return await make_namespace(api)


@pytest.fixture(params=["kube-apiserver", "simcluster"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """Each of the API servers in turn."""
    if request.param == "simcluster":
        chosen = simulated_server()
    else:
        given = request.config.getoption("--kubeconfig")
        ours = None if given else request.getfixturevalue("plane")
        chosen = real_server(request.getfixturevalue("kubeconfig"), ours)
    async with chosen as running:
        yield running
