"""What is checked, each in an environment of its own: `nox -l` lists it, `.ci/run` runs it all."""

from __future__ import annotations

from pathlib import Path

import nox

ROOT = Path(__file__).parent
PAIRS = {path.name.removesuffix("-pair.txt"): path for path in sorted(ROOT.glob(".ci/*-pair.txt"))}
"""Versions of JupyterHub and KubeSpawner that go together, by name."""

nox.options.sessions = ["tests", "check", "docs"]
nox.options.default_venv_backend = "venv"


def _install(session: nox.Session, what: str, pair: str = "newest") -> None:
    session.install("-e", what, env={"PIP_CONSTRAINT": str(PAIRS[pair])})


@nox.session
@nox.parametrize("pair", [nox.param(pair, id=pair) for pair in PAIRS])
def tests(session: nox.Session, pair: str) -> None:
    """The tests on one pair of versions; what follows `--` goes to pytest."""
    _install(session, ".[test]", pair)
    session.run("pytest", *(session.posargs or ["-n", "2", "--dist", "loadfile"]))


@nox.session
def check(session: nox.Session) -> None:
    """Linters, types, import contracts, the wheel, and what is deployed beside it."""
    _install(session, ".[check]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")
    session.run("python", ".ci/wheel.py", session.create_tmp())
    # Of Kubernetes' schemas and of Dockerfiles: too large for who only runs the tests.
    linted = ("tests/helm/test_image.py", "tests/helm/test_manifests.py")
    session.run("pytest", "-q", *linted, env={"GPUSPAWNER_TESTS_REQUIRE_LINTERS": "1"})


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, with warnings as errors."""
    _install(session, ".[docs]")
    session.run("python", "-m", "sphinx", "-q", "-W", "-E", "docs", "docs/_build")


@nox.session
def controlplane(session: nox.Session) -> None:
    """The tests against a real Kubernetes control plane, which is built with Go."""
    _install(session, ".[test]")
    session.run("bash", ".ci/controlplane", *(session.posargs or ["-q"]), external=True)
