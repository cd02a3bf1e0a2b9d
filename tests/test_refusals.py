"""The exception by which a start is refused; what a hub makes of it is tested with a hub."""

from __future__ import annotations

import pytest
from tornado import web

from gpuspawner.refusals import CODE_HEADER, SpawnRefusedError, keep_out_of_failure_count


@pytest.mark.parametrize(
    "message",
    [
        "Gpu cannot be started now. Busy: none of 6 free.",
        "100 % of 5 %s are busy",
        "There is no profile '<script>' that is open to you.",
    ],
)
def test_a_refusal_has_its_status_and_the_words_for_the_person(message: str) -> None:
    refusal = SpawnRefusedError(503, "busy", message)
    assert isinstance(refusal, web.HTTPError)
    assert (refusal.status_code, refusal.code, refusal.reason) == (503, "busy", "busy")
    assert refusal.jupyterhub_message == message


def test_a_refusal_brings_no_markup_of_its_own() -> None:
    refusal = SpawnRefusedError(422, "never-fits", "<b>big</b>")
    assert not getattr(refusal, "jupyterhub_html_message", "")
    assert not getattr(refusal, "message_html", "")


def test_a_program_reads_the_code_in_the_words_and_in_a_header() -> None:
    refusal = SpawnRefusedError(503, "busy", "100 % are busy").with_code()
    assert refusal.jupyterhub_message == "100 % are busy [busy]"
    assert refusal.get_message() == "100 % are busy [busy]"
    assert (refusal.status_code, refusal.headers) == (503, {CODE_HEADER: "busy"})


class NothingUnderWay:
    _spawn_future = None
    handler = None
    consecutive_failure_limit = 5


def test_without_a_start_under_way_there_is_no_count_to_put_right() -> None:
    spawner = NothingUnderWay()
    keep_out_of_failure_count(spawner)
    assert spawner.consecutive_failure_limit == 5
