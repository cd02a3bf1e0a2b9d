"""What every test needs before anything is imported."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from pathlib import Path
from types import FrameType
from typing import Any

import aiohttp
import pytest
from hypothesis import settings

# An example that takes long is slow, not wrong, and says nothing of the code. Who changes something
# else is not stopped by what was always wrong: new examples are sought by who sets the variable.
settings.register_profile("gpuspawner", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile("explore" if os.environ.get("GPUSPAWNER_TESTS_EXPLORE") else "gpuspawner")

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


_OTHERS = ("jupyterhub/httpclient.py", "kubespawner/clients.py")
_opened_by_others: set[int] = set()


def _leave_others_alone(kind: type[Any]) -> None:
    """Have things of a kind that others open end without a warning."""
    opens, dies = kind.__init__, kind.__del__

    def _open(self: object, *args: Any, **options: Any) -> None:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename.endswith(_OTHERS):
                _opened_by_others.add(id(self))
                break
            frame = frame.f_back
        opens(self, *args, **options)

    def _die(self: object, _warnings: Any = warnings) -> None:
        theirs = id(self) in _opened_by_others
        _opened_by_others.discard(id(self))
        if not theirs:
            dies(self)

    kind.__init__, kind.__del__ = _open, _die


# JupyterHub and KubeSpawner close theirs in tasks that the end of a test's event loop may cut off;
# what this project opens and does not close is still an error.
_leave_others_alone(aiohttp.ClientSession)
_leave_others_alone(aiohttp.BaseConnector)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register what only a conftest of the root may."""
    parser.addoption(
        "--kubeconfig",
        metavar="FILE",
        help="run tests/controlplane against this cluster, as an administrator of it",
    )
