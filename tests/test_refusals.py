"""The exception by which a start is refused; what a hub makes of it is tested with a hub."""

from __future__ import annotations

import json

import pytest
from kubernetes_asyncio.client import ApiException
from tornado import web

from gpuspawner.refusals import (
    CODE_HEADER,
    SEE_THE_LOG,
    SpawnRefusedError,
    keep_out_of_failure_count,
    refusal_of,
)


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
    assert (refusal.status_code, refusal.headers) == (
        503,
        {CODE_HEADER: "busy", "Vary": "Accept-Language"},
    )


@pytest.mark.parametrize(
    ("message", "told"),
    [
        pytest.param("It is away.", "One GPU: It is away.", id="words without it"),
        pytest.param("One GPU is busy.", "One GPU is busy.", id="words that have it"),
    ],
)
def test_a_refusal_names_the_profile_once(message: str, told: str) -> None:
    named = SpawnRefusedError(503, "busy", message).about("One GPU")
    assert (named.status_code, named.code, named.jupyterhub_message) == (503, "busy", told)


def test_a_refusal_of_no_known_profile_keeps_its_words() -> None:
    assert SpawnRefusedError(503, "no-catalog", "Unreadable.").about("").jupyterhub_message == (
        "Unreadable."
    )


EXCEEDED = "exceeded quota: gpus, requested: cpu=2, used: cpu=3, limited: cpu=4"
SAID = [
    pytest.param(
        f'pods "mine" is forbidden: {EXCEEDED}',
        "quota",
        "The quota 'gpus' allows 4 CPU cores in this namespace, 3 are used and this needs 2; "
        "it frees up as servers in this namespace end. "
        "Try again later.",
        id="a quota",
    ),
    pytest.param(
        f'admission webhook "w" denied the request: Bob {EXCEEDED}',
        "misconfigured",
        f"The cluster did not accept the server. {SEE_THE_LOG}",
        id="a webhook that talks of others",
    ),
]


@pytest.mark.parametrize(("message", "code", "told"), SAID)
def test_what_the_cluster_says_of_a_pod_is_told_without_its_words(
    message: str, code: str, told: str
) -> None:
    error = ApiException(status=403, reason="Forbidden")
    error.body = json.dumps({"message": message}).encode()
    refusal = refusal_of(error)
    assert refusal is not None
    assert (refusal.status_code, refusal.code, refusal.jupyterhub_message) == (503, code, told)


class NothingUnderWay:
    _spawn_future = None
    handler = None
    consecutive_failure_limit = 5


def test_without_a_start_under_way_there_is_no_count_to_put_right() -> None:
    spawner = NothingUnderWay()
    keep_out_of_failure_count(spawner)
    assert spawner.consecutive_failure_limit == 5
