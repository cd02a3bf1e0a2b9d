"""KubeSpawner, made to speak the language of whoever began a start.

Of JupyterHub 5.5 and 6.1 this leans on ``handler``, which is set in the task that makes a form and
in the one that begins a start, on ``get_state`` and ``load_state``, through which the next hub
speaks the same; of KubeSpawner 7.0 and 7.1 on ``start``, which begins a task.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import Any

from traitlets import Enum

from gpuspawner.form import PageLinks, page_links
from gpuspawner.language import ENGLISH, LANGUAGES, accepted, gettext, speaking
from gpuspawner.outages import LastingKubeSpawner

_STATE_KEY = "gpuspawner_language"


class _Answered:
    """The handler of the request that a task answers, and the spawner; neither once it is over.

    A watch that a request began has it in its context for as long as the hub lives.
    """

    __slots__ = ("handler", "spawner")

    def __init__(self, spawner: Any = None, handler: Any = None) -> None:
        self.spawner, self.handler = spawner, handler


_answered: ContextVar[_Answered] = ContextVar("answered", default=_Answered())  # noqa: B039 - never changed


class SpeakingKubeSpawner(LastingKubeSpawner):
    """A KubeSpawner whose start has a language, in which its task and those it begins speak.

    What is told of a start from elsewhere has to speak it, too: see `language`.
    """

    default_language = Enum(
        LANGUAGES,
        ENGLISH,
        config=True,
        help="""The language for who asks for none that there is: "en" or "de".

        Browsers ask for one (Accept-Language); programs that use the API mostly do not.
        """,
    )

    _handler: Any = None
    _language: str | None = None
    _links: PageLinks | None = None
    _began_with: dict[str, Any] | None = None
    _spoke_at = float("-inf")

    @property
    def handler(self) -> Any:
        """JupyterHub's: the handler of the request that a form or a start is for.

        Many requests share a spawner, so each task keeps the one that it is told of.
        """
        return self._handler

    @handler.setter
    def handler(self, handler: Any) -> None:
        self._handler = handler
        answered = _answered.get()
        if handler is None and answered.spawner is self:
            answered.spawner = answered.handler = None
        _answered.set(_Answered(self, handler))

    @property
    def request_handler(self) -> Any:
        """The handler of the request that this task answers with this server, if it does."""
        answered = _answered.get()
        return answered.handler if answered.spawner is self else None

    @property
    def language(self) -> str:
        """The language of the request that is under way, or else of the one that began the start.

        One of `gpuspawner.language.LANGUAGES`.
        """
        if self.request_handler is not None:
            return self.language_for(self.request_handler)
        spoken: str = self._language or self.default_language
        return spoken

    @property
    def language_of_form(self) -> str:
        """The language in which to make a form now.

        After a start that is refused, JupyterHub has the form made anew by the default server,
        whichever was refused, and says nothing of the request; what that server knows may be the
        request of an earlier form.
        """
        return self.asked_for.language

    @property
    def asked_for(self) -> SpeakingKubeSpawner:
        """The server that the request is about: this one, or if there is none that began last."""
        if self.request_handler is not None:
            return self
        servers = self.user.spawners.values()
        began = [each for each in servers if isinstance(each, SpeakingKubeSpawner)]
        return max(began, key=lambda each: each._spoke_at, default=self)

    @property
    def links(self) -> PageLinks | None:
        """Those of the page that the request asks for, or else of that which began the last start.

        None if there was none, as with a start by the hub itself.
        """
        handler = self.request_handler
        return self._links if handler is None else self._links_of(handler)

    @property
    def refused_options(self) -> dict[str, Any] | None:
        """What the last start was asked for, where a form is made since it was refused."""
        return self._began_with if self.request_handler is None else None

    def language_for(self, handler: Any) -> str:
        """The language in which a request that JupyterHub handles is to be answered."""
        return accepted(handler.request.headers.get("Accept-Language"), self.default_language)

    def _links_of(self, handler: Any) -> PageLinks | None:
        return page_links(handler, self.user.name, self.name) if handler is not None else None

    def gettext(self, message: str) -> str:
        """A message in the language of the start, for templates."""
        with speaking(self.language):
            return gettext(message)

    def start(self) -> Any:
        """KubeSpawner's, in the language of the request that begins it.

        A start without a request goes on with what the last one spoke: after a restart of the hub,
        that is the one that was cut off.
        """
        self._language, self._spoke_at = self.language, time.monotonic()
        # Not the handler: it would be kept until the next start.
        self._links, self._began_with = self._links_of(self.request_handler), self.user_options
        with speaking(self._language):
            return super().start()

    def get_state(self) -> dict[str, Any]:
        """KubeSpawner's, and the language."""
        state: dict[str, Any] = super().get_state()
        return {**state, _STATE_KEY: self._language} if self._language else state

    def load_state(self, state: dict[str, Any]) -> None:
        """KubeSpawner's, and the language."""
        super().load_state(state)
        language = state.get(_STATE_KEY)
        self._language = language if language in LANGUAGES else None
