"""A PostgreSQL server of the tests' own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from tests.ports import a_port

REQUIRED = "GPUSPAWNER_TESTS_REQUIRE_POSTGRES"
_numbers = count(1)


def _binary(name: str) -> str | None:
    # Debian keeps them out of the way, a directory for each version.
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


@dataclass
class Server:
    """A PostgreSQL server with its data in a directory of its own."""

    directory: Path
    postgres: str
    port: int
    account: str | None
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://tests@127.0.0.1:{self.port}/"

    def begin(self) -> None:
        """Start it, and wait until it answers."""
        options = ["-k", str(self.directory), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        command = [self.postgres, "-D", str(self.directory / "data"), "-p", str(self.port)]
        log = (self.directory / "log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [*command, *options], user=self.account, stdout=log, stderr=log, cwd="/"
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.execute("SELECT 1")
            except OperationalError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def end(self) -> None:
        """Stop it at once, as a server that crashes."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(30)
            self.process = None

    def execute(self, statement: str) -> None:
        engine = create_engine(f"{self.url}postgres", isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.execute(text(statement))
        finally:
            engine.dispose()

    def new_database(self) -> str:
        name = f"hub{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return f"{self.url}{name}"


def _account() -> str | None:
    """Whom the server is to run as: it refuses to be root's."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextmanager
def a_server() -> Iterator[Server]:
    """A running one; the test is skipped where there is none to run."""
    binary, initdb = _binary("postgres"), _binary("initdb")
    if binary is None or initdb is None:
        reason = "there is no PostgreSQL server to run: apt-get install postgresql"
        if os.environ.get(REQUIRED):
            pytest.fail(reason)
        pytest.skip(reason)
    account = _account()
    directory = Path(tempfile.mkdtemp(prefix="gpuspawner-postgres-"))
    if account is not None:
        shutil.chown(directory, account)
    data = str(directory / "data")
    subprocess.run(
        [initdb, "-D", data, "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-sync"],
        user=account,
        check=True,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )
    server = Server(directory, binary, a_port(), account)
    try:
        server.begin()
        yield server
    finally:
        server.end()
        shutil.rmtree(directory, ignore_errors=True)
