"""The Dockerfile of the hub's image. No engine is at hand to build it; hadolint reads it in CI."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .chart import CHART_VERSION, HELM_VALUES, ROOT

DOCKERFILE = HELM_VALUES / "Dockerfile"
# What the chart's image has because JupyterHub, KubeSpawner or the authenticators need it.
OF_THE_CHART = {
    "aiohttp",
    "alembic",
    "jinja2",
    "jupyterhub",
    "jupyterhub-kubespawner",
    "kubernetes-asyncio",
    "markupsafe",
    "oauthenticator",
    "prometheus-client",
    "pydantic",
    "python-slugify",
    "pyyaml",
    "sqlalchemy",
    "tornado",
    "traitlets",
}


def lines() -> list[str]:
    """The Dockerfile's instructions, each on one line."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    return [line for line in text.replace("\\\n", " ").splitlines() if line]


def constrained() -> dict[str, Requirement]:
    text = (HELM_VALUES / "constraints.txt").read_text()
    found = [Requirement(line) for line in text.splitlines() if not line.startswith("#")]
    return {canonicalize_name(one.name): one for one in found}


def test_both_stages_are_of_the_charts_image() -> None:
    images = [line.split()[1] for line in lines() if line.startswith("FROM")]
    assert set(images) == {f"${{REGISTRY}}jupyterhub/k8s-hub:{CHART_VERSION}"}


def test_the_hub_does_not_run_as_root() -> None:
    users = [line.split()[1] for line in lines() if line.startswith("USER")]
    assert users[-1] == "1000:1000"


def test_all_that_the_image_adds_is_pinned() -> None:
    needed = [Requirement(each) for each in requires("gpuspawner") or []]
    ours = {canonicalize_name(one.name) for one in needed if one.marker is None}
    assert ours - OF_THE_CHART <= constrained().keys()
    for one in constrained().values():
        assert re.fullmatch(r"==[0-9.]+", str(one.specifier))


def test_what_is_pinned_satisfies_the_package() -> None:
    for each in map(Requirement, requires("gpuspawner") or []):
        pin = constrained().get(canonicalize_name(each.name))
        if pin is not None:
            [version] = pin.specifier
            assert each.specifier.contains(version.version)


def test_what_is_copied_is_there_and_sent() -> None:
    ignore = (ROOT / ".dockerignore").read_text()
    sent = {line[1:] for line in ignore.splitlines() if line.startswith("!")}
    for line in lines():
        if line.startswith("COPY") and "--from" not in line:
            *sources, _ = line.split()[1:]
            assert set(sources) <= sent
            assert all((ROOT / source).exists() for source in sources)


def test_hadolint_finds_nothing() -> None:
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        assert not os.environ.get("GPUSPAWNER_TESTS_REQUIRE_LINTERS")
        pytest.skip("hadolint is of the extra 'check'")
    found = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")
