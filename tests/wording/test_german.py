"""Where an offer stands, in German: the same facts, in whole sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.model import Node, Pod
from gpuspawner.language import speaking
from gpuspawner.offers import Offer, offers_in
from gpuspawner.wording import availability, in_line, instead

from ..builders import LIVE, a_catalog, a_node, a_pod, a_profile, a_situation

CATALOG = a_catalog(
    a_profile("gpu", when_full="wait"),
    a_profile("two", count=2, memory="128Gi"),
    a_profile("huge", memory="200Gi"),
)


def an_offer(slug: str, *things: Node | Pod, freshness: Freshness = LIVE) -> Offer:
    situation = a_situation(CATALOG, *things, freshness=freshness)
    [offer] = [offer for offer in offers_in(situation) if offer.profile.slug == slug]
    return offer


def workers(*used: int) -> list[Node | Pod]:
    """Nodes with two GPUs, of which so many are in use."""
    nodes = [a_node(f"n{i}", gpus=2, memory="192Gi") for i in range(len(used))]
    pods = [a_pod(f"p{i}", node=f"n{i}", gpus=gpus) for i, gpus in enumerate(used)]
    return [*nodes, *pods]


@pytest.mark.parametrize(
    ("slug", "things", "words"),
    [
        pytest.param("gpu", workers(0, 1), "3 von 4 frei, auf 2 Knoten", id="free"),
        pytest.param("gpu", workers(1), "1 von 2 frei, auf 1 Knoten", id="one is free"),
        pytest.param("two", workers(0, 1), "frei: noch Platz für 1, auf 1 Knoten", id="room"),
        pytest.param("two", workers(2), "belegt: keine frei", id="busy"),
        pytest.param(
            "two",
            workers(1, 1),
            "belegt: 2 frei, aber auf 2 verschiedenen Knoten, keiner für 2 zusammen",
            id="apart",
        ),
        pytest.param("two", workers(2, 1), "belegt: nur 1 frei, gebraucht werden 2", id="too few"),
        pytest.param(
            "gpu",
            workers(2),
            "belegt: keine von 2 frei; Sie können bis zu 1 Stunde in der Warteschlange warten, "
            "niemand ist vor Ihnen",
            id="one can wait",
        ),
        pytest.param(
            "huge",
            workers(0),
            "passt nie: verlangt 200 GiB Arbeitsspeicher, der größte Knoten bietet 192 GiB",
            id="never",
        ),
    ],
)
def test_where_it_stands(slug: str, things: list[Node | Pod], words: str) -> None:
    offer = an_offer(slug, *things)
    with speaking("de"):
        assert availability(offer) == words


def test_what_is_not_known() -> None:
    offer = an_offer("two", *workers(0), freshness=Freshness("stale", age=600.0))
    with speaking("de"):
        assert availability(offer) == "unbekannt seit 10 min: der Cluster antwortet nicht"


def test_how_many_are_ahead() -> None:
    offer = replace(an_offer("gpu", *workers(2)), ahead=1)
    with speaking("de"):
        assert availability(offer).endswith(", 1 ist vor Ihnen")
        assert availability(replace(offer, ahead=2)).endswith(", 2 sind vor Ihnen")


def test_the_place_in_line() -> None:
    offer = an_offer("gpu", *workers(2))
    with speaking("de"):
        assert in_line(offer, 3, 5_401.0, 7_200.0, is_live=True) == (
            "Sie stehen in der Warteschlange für Gpu an 3. Stelle. Keine von 2 frei. Ihr Server "
            "startet, sobald Sie an der Reihe sind. Das dauert höchstens 1 Stunde 31 Minuten, "
            "sofern nicht andere den Platz belegen."
        )


def test_what_comes_nearest() -> None:
    with speaking("de"):
        assert instead(an_offer("gpu", *workers(0))) == (
            "Am nächsten kommt dem „Gpu“ (2 von 2 frei, auf 1 Knoten)."
        )
