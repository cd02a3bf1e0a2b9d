"""The last part of a start: the pod runs, and its notebook is asked until it answers.

JupyterHub asks, too, but after the start, when a notebook that ends is waited for in vain, the
person gets no words, and the failure counts toward the hub's abort.

Of JupyterHub 5.5 and 6.1 this leans on ``wait_for_http_server``, which is what ``User._wait_up``
asks with and so has the client that the operator configured, on ``make_ssl_context`` with the
settings ``internal_ssl_key``, ``internal_ssl_cert`` and ``internal_ssl_ca``, and on
``orm_spawner.server.base_url``; of KubeSpawner 7.0 and 7.1 on ``_start``, which gives a URL.
"""

from __future__ import annotations

import asyncio
import ssl
from math import inf
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.utils import make_ssl_context, url_path_join, wait_for_http_server

from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop
from gpuspawner.refusals import SpawnRefusedError
from gpuspawner.resuming import ResumingKubeSpawner
from gpuspawner.starting.hopeless import AGAIN_OR_TELL
from gpuspawner.starting.lost import Ran, ran

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 1.0
"""Seconds between two questions."""
LONGEST_QUESTION = 10.0
"""Seconds for an answer; a request may have reached what will never answer it."""
HEADROOM = 1.0
"""Seconds before a start is out of time in which it still ends by itself."""

_NO_ANSWER = gettext_noop("The server runs, but its notebook did not answer within {seconds} s.")


async def answers(url: str, within: float, ssl_context: ssl.SSLContext | None = None) -> bool:
    """Whether the server at `url` gives an answer that is no server error, `within` seconds."""
    pause = FIRST_PAUSE
    try:
        async with asyncio.timeout(within):
            while not await _is_answering(url, ssl_context):
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
    except TimeoutError:
        return False
    return True


async def _is_answering(url: str, ssl_context: ssl.SSLContext | None) -> bool:
    try:
        async with asyncio.timeout(LONGEST_QUESTION):
            # No time at all is time for one question.
            await wait_for_http_server(url, timeout=0, ssl_context=ssl_context)
    except TimeoutError:
        return False
    return True


class AnsweringKubeSpawner(ResumingKubeSpawner):
    """A KubeSpawner whose start ends when the notebook answers, for `http_timeout` at the most."""

    _start_limit: asyncio.Timeout | None = None
    """Within which the start has to end; set by whoever limits it."""
    _ran: Ran | None = None
    """Set while the notebook is asked."""

    async def _start(self) -> Any:
        """KubeSpawner's start, and the wait for an answer.

        When the start is out of time, but `http_timeout` is not over, JupyterHub goes on waiting.

        Raises:
            SpawnRefusedError: 503, there was no answer for all of `http_timeout`.
        """
        url = await super()._start()
        server = self.orm_spawner.server
        if not isinstance(url, str) or server is None:
            return url
        within = min(self.http_timeout, self._seconds_until_limit - HEADROOM)
        self._ran = ran(self._pod or {})
        try:
            has_answered = await answers(_api_of(url, server.base_url), within, self._ssl_context)
        finally:
            self._ran = None
        if not has_answered and within >= self.http_timeout:
            words = _(_NO_ANSWER).format(seconds=f"{self.http_timeout:.0f}")
            raise SpawnRefusedError(503, "no-answer", f"{words} {_(AGAIN_OR_TELL)}")
        return url

    @property
    def _seconds_until_limit(self) -> float:
        ends = self._start_limit.when() if self._start_limit is not None else None
        return inf if ends is None else ends - asyncio.get_running_loop().time()

    @property
    def _ssl_context(self) -> ssl.SSLContext | None:
        names = ("internal_ssl_key", "internal_ssl_cert", "internal_ssl_ca")
        key, certificate, authority = (self.user.settings.get(name) for name in names)
        context: ssl.SSLContext | None = make_ssl_context(key, certificate, cafile=authority)
        return context


def _api_of(url: str, base_url: str) -> str:
    """What JupyterHub asks: of the URL that a start gives it keeps the host and the port."""
    parts = urlsplit(url)
    joined: str = url_path_join(f"{parts.scheme}://{parts.netloc}", base_url, "api")
    return joined
