"""Databases of the two kinds: a file, and a PostgreSQL server of the tests' own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.postgres import Server, a_server

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with a_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path}/hub{next(_numbers)}.sqlite"
    server: Server = request.getfixturevalue("postgres")
    return server.new_database


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    return new_url()
