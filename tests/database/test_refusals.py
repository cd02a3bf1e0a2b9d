"""Whoever can sign in can be refused without end, and must not fill the hub's database by it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gpuspawner.database import AUDIT_LOG, AccessStore, engine_for


def test_of_one_person_only_so_many_refusals_a_minute_are_rows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, AUDIT_LOG)
    now = [datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)]
    store = AccessStore(lambda: engine_for(f"sqlite:///{tmp_path}/hub.sqlite"), lambda: now[0])
    for _ in range(100):
        store.refused("eve", "edit", "forbidden", "no")
    assert len(store.entries(500)) == 60
    lines = [message for message in caplog.messages if message.startswith("{")]
    assert len(lines) == 100, "in the log is each"
    assert (
        caplog.messages.count("Refusals of 'eve' are in the log only for the rest of the minute")
        == 1
    )
    store.refused("ada", "edit", "forbidden", "no")
    now[0] += timedelta(minutes=1)
    store.refused("eve", "edit", "forbidden", "no")
    assert [entry.who for entry in store.entries(2)] == ["eve", "ada"]
    store.close()
