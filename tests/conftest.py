"""What every test needs before anything is imported."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# An example that takes long is slow, not wrong, and says nothing of the code.
settings.register_profile("gpuspawner", deadline=None)
settings.load_profile("gpuspawner")

# kubernetes_asyncio reads the variable when it is imported, and KubeSpawner wants a kubeconfig
# even where k8s_api_host says which cluster it is. Port 1 is nobody's.
_KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: tests
contexts: [{name: tests, context: {cluster: tests, user: tests}}]
clusters: [{name: tests, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: tests, user: {}}]
"""
_directory = tempfile.TemporaryDirectory(prefix="gpuspawner-tests-")
os.environ["KUBECONFIG"] = str(Path(_directory.name) / "kubeconfig")
Path(os.environ["KUBECONFIG"]).write_text(_KUBECONFIG)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register what only a conftest of the root may."""
    parser.addoption(
        "--kubeconfig",
        metavar="FILE",
        help="run tests/controlplane against this cluster, as an administrator of it",
    )
