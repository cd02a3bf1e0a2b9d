"""What a watch does about each failure."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from gpuspawner.capacity.failures import Remedy, StatusError, check, remedy_for, words_for
from gpuspawner.capacity.transport import TransportError
from gpuspawner.errors import MalformedObjectError


class Answer:
    def __init__(self, status: int, **headers: str) -> None:
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    async def body(self) -> bytes:
        return b""

    async def lines(self) -> AsyncGenerator[bytes, None]:
        yield b""


@pytest.mark.parametrize("kind", ["application/json", "application/json;stream=watch"])
def test_json_passes(kind: str) -> None:
    check(Answer(200, Content_Type=kind))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(200, Content_Type="text/html"), id="a page of somebody else's"),
        pytest.param(Answer(200), id="an answer without a content type"),
    ],
)
def test_what_is_not_json_is_not_by_an_api_server(answer: Answer) -> None:
    with pytest.raises(TransportError, match="not by an API server"):
        check(answer)


def test_a_status_keeps_what_it_asks_to_wait() -> None:
    with pytest.raises(StatusError, match="HTTP 429") as caught:
        check(Answer(429, Retry_After="3"))
    assert (caught.value.status, caught.value.retry_after) == (429, 3.0)


@pytest.mark.parametrize(
    ("failure", "remedy"),
    [
        pytest.param(TransportError("refused"), Remedy.RESUME, id="no answer resumes"),
        pytest.param(TimeoutError(), Remedy.RESUME, id="a slow answer resumes"),
        pytest.param(StatusError(429), Remedy.RESUME, id="too many requests resumes"),
        pytest.param(StatusError(500), Remedy.RESUME, id="an internal error resumes"),
        pytest.param(StatusError(503), Remedy.RESUME, id="unavailable resumes"),
        pytest.param(StatusError(302), Remedy.RESUME_ONCE, id="a redirection resumes once"),
        pytest.param(StatusError(404), Remedy.RESUME_ONCE, id="not found resumes once"),
        pytest.param(StatusError(504), Remedy.RESUME_ONCE, id="too large a version resumes once"),
        pytest.param(
            StatusError(500, in_stream=True), Remedy.RESUME_ONCE, id="an ERROR resumes once"
        ),
        pytest.param(
            StatusError(None, in_stream=True), Remedy.RESUME_ONCE, id="an empty ERROR resumes once"
        ),
        pytest.param(
            MalformedObjectError("not an event"), Remedy.RESUME_ONCE, id="garbage resumes once"
        ),
        pytest.param(StatusError(410), Remedy.RELIST, id="gone lists again"),
        pytest.param(
            StatusError(410, in_stream=True), Remedy.RELIST, id="gone in the stream lists again"
        ),
        pytest.param(StatusError(400), Remedy.RELIST, id="a bad version lists again"),
        pytest.param(StatusError(401), Remedy.RELOAD_CREDENTIALS, id="401 reloads credentials"),
        pytest.param(StatusError(403), Remedy.AWAIT_PERMISSION, id="403 awaits a permission"),
    ],
)
def test_the_remedy(failure: Exception, remedy: Remedy) -> None:
    assert remedy_for(failure) is remedy


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        pytest.param(StatusError(503), "HTTP 503", id="a status"),
        pytest.param(StatusError(410, in_stream=True), "ERROR 410 in the stream", id="an ERROR"),
        pytest.param(TimeoutError(), "not finished in time", id="a timeout, whose text is empty"),
        pytest.param(
            MalformedObjectError("Bearer s3cr3t"),
            "an answer that is not the API server's",
            id="garbage, of which nothing is quoted",
        ),
    ],
)
def test_the_words(failure: Exception, words: str) -> None:
    assert words_for(failure) == words
