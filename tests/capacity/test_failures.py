"""What a watch does about each failure."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from gpuspawner.capacity.failures import (
    Remedy,
    StatusError,
    asks_for_pages,
    check,
    remedy_for,
    words_for,
)
from gpuspawner.capacity.transport import TransportError
from gpuspawner.errors import MalformedObjectError


class Answer:
    def __init__(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.status = status
        self.content = content
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    async def body(self) -> bytes:
        return self.content

    async def lines(self) -> AsyncGenerator[bytes, None]:
        yield b""


CORE, GROUPED = "/api/v1/resourcequotas", "/apis/resource.k8s.io/v1/resourceslices"
NOT_FOUND = b'{"kind": "Status", "reason": "NotFound", "code": 404}'


@pytest.mark.parametrize("kind", ["application/json", "application/json;stream=watch"])
async def test_json_passes(kind: str) -> None:
    await check(Answer(200, Content_Type=kind), CORE)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(200, Content_Type="text/html"), id="a page of somebody else's"),
        pytest.param(Answer(200), id="an answer without a content type"),
    ],
)
async def test_what_is_not_json_is_not_by_an_api_server(answer: Answer) -> None:
    with pytest.raises(TransportError, match="not by an API server"):
        await check(answer, CORE)


async def test_a_status_keeps_what_it_asks_to_wait() -> None:
    with pytest.raises(StatusError, match="HTTP 429") as caught:
        await check(Answer(429, Retry_After="3"), CORE)
    assert (caught.value.status, caught.value.retry_after) == (429, 3.0)


@pytest.mark.parametrize(
    ("path", "answer", "expected"),
    [
        pytest.param(GROUPED, Answer(404, NOT_FOUND), True, id="a Status"),
        pytest.param(
            GROUPED,
            Answer(404, b"404 page not found", Audit_Id="1"),
            True,
            id="an API server's, of a group that it does not know",
        ),
        pytest.param(GROUPED, Answer(404, b"404 page not found"), False, id="plain text"),
        pytest.param(GROUPED, Answer(404, b"<html>"), False, id="a page of a load balancer's"),
        pytest.param(GROUPED, Answer(404, b'{"message": "?"}'), False, id="a gateway's JSON"),
        pytest.param(
            GROUPED,
            Answer(404, b'{"kind": "Status", "reason": "Forbidden"}'),
            False,
            id="a Status of another reason",
        ),
        pytest.param(GROUPED, Answer(403, NOT_FOUND, Audit_Id="1"), False, id="another status"),
        pytest.param(
            CORE, Answer(404, NOT_FOUND, Audit_Id="1"), False, id="the core's kinds, always served"
        ),
    ],
)
async def test_which_404_says_that_a_resource_is_not_served(
    path: str, answer: Answer, *, expected: bool
) -> None:
    with pytest.raises(StatusError) as caught:
        await check(answer, path)
    assert caught.value.is_unserved is expected


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


def test_what_a_cluster_may_not_have_is_waited_for() -> None:
    unserved = StatusError(404, is_unserved=True)
    assert remedy_for(unserved, optional=True) is Remedy.AWAIT_RESOURCE
    assert remedy_for(StatusError(404), optional=True) is Remedy.RESUME_ONCE
    assert remedy_for(StatusError(403), optional=True) is Remedy.AWAIT_PERMISSION


BROKEN_OFF = TransportError("reset")


@pytest.mark.parametrize(
    ("failure", "accepted", "optional", "pages"),
    [
        pytest.param(StatusError(422), False, False, True, id="a server that does not stream"),
        pytest.param(StatusError(400), False, False, True, id="a server that knows no such option"),
        pytest.param(StatusError(504), False, False, True, id="a cache that is not ready"),
        pytest.param(StatusError(403), False, False, True, id="no right to watch"),
        pytest.param(StatusError(403), False, True, False, id="no right to what is optional"),
        pytest.param(StatusError(404, is_unserved=True), False, True, False, id="no such resource"),
        pytest.param(StatusError(401), False, False, False, id="bad credentials"),
        pytest.param(StatusError(429), False, False, False, id="a busy server"),
        pytest.param(StatusError(503), False, False, False, id="a server that is down"),
        pytest.param(StatusError(500, in_stream=True), True, False, True, id="an old etcd"),
        pytest.param(StatusError(429, in_stream=True), True, False, False, id="busy in the stream"),
        pytest.param(BROKEN_OFF, False, False, False, id="no answer"),
        pytest.param(BROKEN_OFF, True, False, True, id="a stream that breaks off"),
        pytest.param(TimeoutError(), True, False, True, id="a stream that falls silent"),
        pytest.param(MalformedObjectError("?"), True, True, True, id="garbage in the stream"),
    ],
)
def test_when_a_list_in_pages_may_succeed(
    failure: Exception, *, accepted: bool, optional: bool, pages: bool
) -> None:
    assert asks_for_pages(failure, accepted=accepted, optional=optional) is pages


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
