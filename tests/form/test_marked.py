"""All that the form says is in the catalogue: in a made-up language each message has brackets."""

from __future__ import annotations

from dataclasses import replace
from gettext import NullTranslations
from html.parser import HTMLParser
from typing import Any

import pytest

from gpuspawner import language
from gpuspawner.capacity.freshness import Freshness, Permission
from gpuspawner.capacity.model import Node, Pod
from gpuspawner.form import PageLinks, Preselection, form_text, render
from gpuspawner.language import speaking
from gpuspawner.line import Waiter
from gpuspawner.offers import Offer, Standing, offers_in
from gpuspawner.policy import Person
from gpuspawner.starting.measured import Durations, Measured, key_of_pool

from ..builders import GPU, a_catalog, a_node, a_pod, a_profile, a_request, a_situation, altered

MADE_UP = "en_GB"
"""A language that babel can write numbers in, and nobody else here speaks."""
LINKS = PageLinks(style="/s", scripts=("/t",), choose="/c", live="/l")
UNITS = ("KiB", "MiB", "GiB", "TiB")
READ = {"alt", "aria-label", "placeholder", "title"}
POOL_TITLE = "77"
HOME = {
    "volumes": [{"name": "h", "nfs": {"server": "s", "path": "/h"}}],
    "volume_mounts": [{"name": "h", "mountPath": "/home/jovyan"}],
}


class Bracketed(NullTranslations):
    def gettext(self, message: str) -> str:
        return f"[{message}]"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return f"[{msgid1 if n == 1 else msgid2}]"


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "_translations", {MADE_UP: Bracketed()}.__getitem__)


class Read(HTMLParser):
    """What a page says to people."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._silent = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in {"script", "style"}
        said = [text for name, text in attrs if name in READ or name.startswith("data-words-")]
        self.texts += [text or "" for text in said]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.texts.append(data)


def outside(text: str) -> str:
    """The letters that are in no brackets, less those of units."""
    depth, found = 0, ""
    for letter in text:
        depth += (letter == "[") - (letter == "]")
        found += letter if depth == 0 else ""
    for unit in UNITS:
        found = found.replace(unit, "")
    return "".join(letter for letter in found if letter.isalpha())


def numbered(slug: str, **fields: Any) -> dict[str, Any]:
    """A profile of which the admin wrote nothing but numbers."""
    return a_profile(slug, **{"title": "1", "description": "2", **fields})


def offers(*things: Node | Pod, base: dict[str, Any] | None = None, **fields: Any) -> list[Offer]:
    """Offers of each kind; `fields` are those of all profiles."""
    of_kinds: dict[str, dict[str, Any]] = {
        "exclusive": {},
        "mig": {"sharing": "mig"},
        "time-slicing": {"sharing": "time-slicing", "shared_by": 4},
        "mps": {"sharing": "mps"},
    }
    accelerators = {
        kind: {"title": "3", "resource": GPU, "memory": "40Gi", **of_kind}
        for kind, of_kind in of_kinds.items()
    }
    volumes = {
        "4": {"mount_path": "/a", "empty_dir": {}},
        "5": {"mount_path": "/b", "nfs": {"server": "s", "path": "/e"}},
        "6": {"mount_path": "/c", "host_path": {"path": "/d"}, "read_only": True},
        "7": {"mount_path": "/e", "host_path": {"path": "/d"}},
    }
    details = {
        "cpu": {"guarantee": "500m", "limit": 2},
        "memory": "64Gi",
        "session_limit": "36h",
        "volumes": list(volumes),
        "images": [{"slug": "a", "title": "8", "image": "x/y:1"}],
        **fields,
    }
    catalog = a_catalog(
        *(numbered(kind, accelerator=kind, **details) for kind in of_kinds),
        numbered("two", accelerator="exclusive", count=2, **details),
        accelerators=accelerators,
        volumes=volumes,
        access=[{"groups": ["9"], "profiles": ["*"]}],
        node_pools={
            "pool": {
                "title": POOL_TITLE,
                "labels": {"pool": "p"},
                "allocatable": {"cpu": 64, "memory": "256Gi", GPU: 4},
                "most_nodes": 1,
            }
        },
    )
    person = Person("0", frozenset({"9"}))
    situation = a_situation(catalog, *things, base={**HOME, **(base or {})}, person=person)
    waiter = Waiter(("jhub", "w"), 0.0, a_request(gpus=1), "")
    situation = replace(
        situation,
        view=replace(situation.view, ahead=(waiter,) if "when_full" in fields else ()),
        measured=Measured(nodes=Durations({key_of_pool(POOL_TITLE): (300.0,)})),
    )
    return [offer for offer in offers_in(situation) if offer.profile.slug != "cpu"]


def stale(freshness: Freshness) -> list[Offer]:
    unknown = offers(a_node(gpus=4))
    return [
        replace(offer, freshness=freshness, standing=Standing.UNKNOWN, verdict=None)
        for offer in unknown
    ]


def in_the_pool(**fields: Any) -> Node:
    return a_node("n1", gpus=2, labels={"pool": "p"}, **fields)


LOW = altered(a_pod("low", node="n1", gpus=2), priority=-10)
STATES: list[Any] = [
    pytest.param(lambda: offers(a_node(gpus=4)), {"free"}, id="free"),
    pytest.param(lambda: offers(in_the_pool(), a_pod(gpus=2)), {"busy"}, id="busy"),
    pytest.param(
        lambda: offers(in_the_pool(), a_pod(gpus=2), when_full=["wait"]),
        {"busy", "unknown"},
        id="one can wait",
    ),
    pytest.param(lambda: offers(in_the_pool(unschedulable=True)), {"busy"}, id="closed"),
    pytest.param(offers, {"can-start-node"}, id="a pool can grow"),
    pytest.param(lambda: offers(in_the_pool(), LOW), {"evicts"}, id="others make way"),
    pytest.param(
        lambda: offers(
            a_node(gpus=4), base={"extra_pod_config": {"schedulingGates": [{"name": "1"}]}}
        ),
        {"queued"},
        id="queued",
    ),
    pytest.param(lambda: offers(in_the_pool(), memory="512Gi"), {"never"}, id="more than there is"),
    pytest.param(lambda: stale(Freshness("stale", age=61.0)), {"unknown"}, id="no answer now"),
    pytest.param(lambda: stale(Freshness("starting")), {"unknown"}, id="no answer yet"),
    pytest.param(
        lambda: stale(Freshness("denied", missing=(Permission("1", "2"), Permission("3", "4")))),
        {"unknown"},
        id="no right",
    ),
    pytest.param(
        lambda: [replace(offer, plan=None, fault="x") for offer in offers(a_node(gpus=4))],
        {"free"},
        id="a fault of the configuration",
    ),
]


@pytest.mark.parametrize(("made", "standings"), STATES)
@pytest.mark.parametrize(
    ("asked", "links"),
    [
        pytest.param(Preselection(), LINKS, id="nothing asked for"),
        pytest.param(Preselection("gone"), None, id="what is gone"),
        pytest.param(Preselection("two", is_linked=True), LINKS, id="by a link"),
    ],
)
def test_all_that_the_form_says_is_marked(
    made: Any, standings: set[str], asked: Preselection, links: PageLinks | None
) -> None:
    with speaking(MADE_UP):
        found = made()
        assert standings & {offer.standing.value for offer in found}
        html = render(found, asked, links)
    texts = Read(html).texts
    assert any("[" in text for text in texts)
    assert [text for text in texts if outside(text)] == []


def test_all_that_stands_around_the_form_is_marked() -> None:
    with speaking(MADE_UP):
        words = form_text("", "1", "2").words
    assert [text for text in (words.heading, words.for_other, words.start) if outside(text)] == []


def test_what_is_not_marked_is_found() -> None:
    assert outside("[a [b 1] c] 40 GiB [d]") == ""
    assert outside("[a] b 40 GiB") == "b"
