"""The language of a start, without a hub."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextvars import copy_context
from types import SimpleNamespace
from typing import Any

import pytest
from kubespawner import KubeSpawner

from gpuspawner.language import spoken
from gpuspawner.speaking import SpeakingKubeSpawner


async def a_spawner(**traits: Any) -> SpeakingKubeSpawner:
    spawner = SpeakingKubeSpawner(_mock=True, **traits)
    # KubeSpawner's client is closed by a task, which has to have begun for that.
    await asyncio.sleep(0)
    return spawner


class Handler(SimpleNamespace):
    """JupyterHub's, as far as it is looked at."""

    current_user = SimpleNamespace(name="ada")

    def reverse_url(self, *names: str) -> str:
        return "/".join(("", *names))


def a_request(header: str | None) -> Any:
    headers = {} if header is None else {"Accept-Language": header}
    return Handler(request=SimpleNamespace(headers=headers))


@pytest.fixture(autouse=True)
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The languages in which KubeSpawner's starts were begun."""
    languages: list[str] = []
    monkeypatch.setattr(KubeSpawner, "start", lambda _: languages.append(spoken()))
    return languages


@pytest.mark.parametrize(
    ("header", "default", "expected"),
    [
        pytest.param("de", "en", "de", id="what the request asks for"),
        pytest.param(
            "en-US,en;q=0.9", "de", "en", id="what it asks for, though the hub's is another"
        ),
        pytest.param(None, "en", "en", id="no header"),
        pytest.param(None, "de", "de", id="no header, on a hub that speaks German"),
        pytest.param("fr, it", "de", "de", id="what there is not, on a hub that speaks German"),
        pytest.param("*", "de", "de", id="any, on a hub that speaks German"),
    ],
)
async def test_a_start_speaks_what_its_request_asks_for(
    begun: list[str], header: str | None, default: str, expected: str
) -> None:
    spawner = await a_spawner(default_language=default)
    spawner.handler = a_request(header)
    spawner.start()
    spawner.handler = None  # as JupyterHub does when `start` is over
    assert (begun, spawner.language, spoken()) == ([expected], expected, "en")


async def test_each_start_has_its_own() -> None:
    spawner = await a_spawner()
    for language in ("de", "en"):
        spawner.handler = a_request(language)
        spawner.start()
    spawner.handler = None
    assert spawner.language == "en"


async def test_the_next_hub_speaks_the_same(begun: list[str]) -> None:
    spawner, after = await a_spawner(), await a_spawner()
    spawner.handler = a_request("de")
    spawner.start()
    after.load_state(spawner.get_state())
    after.start()
    assert begun == ["de", "de"]


@pytest.mark.parametrize("kept", [{}, {"gpuspawner_language": "tlh"}, {"gpuspawner_language": 1}])
async def test_a_state_without_a_language_that_there_is(kept: dict[str, Any]) -> None:
    spawner = await a_spawner(default_language="de")
    spawner.load_state(kept)
    assert spawner.language == "de"
    assert "gpuspawner_language" not in spawner.get_state()


async def test_a_form_after_a_refused_start_is_in_the_language_of_that_start() -> None:
    """JupyterHub makes the default server's, whichever server was refused."""
    default, named = await a_spawner(), await a_spawner()
    user = SimpleNamespace(
        name="ada", spawners={"": default, "named": named, "stock": KubeSpawner(_mock=True)}
    )
    default.user = user
    assert default.language_of_form == "en"
    default.handler = a_request("en")
    default.start()
    default.handler = None
    named.handler = a_request("de")
    named.start()
    named.handler = None
    assert (default.language_of_form, default.language) == ("de", "en")
    assert copy_context().run(_of_a_form, default) == "en"
    assert default.language_of_form == "de"


def _of_a_form(spawner: SpeakingKubeSpawner) -> str:
    """What another request for a form is answered in, whose handler JupyterHub leaves in place."""
    spawner.handler = a_request("en")
    return spawner.language_of_form


async def test_a_template_has_its_words_in_the_language_of_the_start() -> None:
    spawner = await a_spawner(default_language="de")
    assert spawner.gettext("Choose again") == "Neu auswählen"


async def test_a_form_after_a_refused_start_has_the_links_of_its_request_and_not_the_request() -> (
    None
):
    spawner = await a_spawner()
    spawner.user = SimpleNamespace(name="ada", spawners={"": spawner})
    watches: list[asyncio.Task[Any]] = []
    over = asyncio.Event()

    async def start() -> weakref.ref[Any]:
        spawner.handler = a_request("de")
        spawner.start()
        # What a start begins may go on for as long as the hub does, with this context.
        watches.append(asyncio.create_task(over.wait()))
        kept = weakref.ref(spawner.handler)
        spawner.handler = None
        return kept

    # The answer that JupyterHub gives to a form is in the task that waits for the start.
    kept = await asyncio.create_task(start())
    gc.collect()
    assert kept() is None
    assert spawner.links is not None
    assert (spawner.links.style, spawner.links.is_own) == ("/gpuspawner-form/form.css", True)
    over.set()
    await asyncio.gather(*watches)
