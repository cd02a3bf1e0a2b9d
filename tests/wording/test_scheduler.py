"""What the scheduler's words come to for a person."""

from __future__ import annotations

import re

import pytest

from gpuspawner.offers import Offer, offers_in
from gpuspawner.wording.schedulers import nowhere, on_nodes

from ..builders import GPU, a_catalog, a_node, a_profile, a_situation
from ..messages import SOURCE

IN_FIT = "\n".join(path.read_text() for path in sorted((SOURCE / "fit").glob("*.py")))


def an_offer() -> Offer:
    return offers_in(a_situation(a_catalog(a_profile()), a_node()))[1]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Too many pods", "2 nodes take no more pods"),
        (f"Insufficient {GPU}", "2 nodes have too little left of NVIDIA A100"),
        ("Insufficient memory", "2 nodes have too little left of memory"),
        ("Insufficient x.com/y", "2 nodes have too little left of x.com/y"),
        ("node(s) didn't match pod affinity rules", "2 nodes run nothing that it must be close to"),
        (
            "node(s) didn't match pod anti-affinity rules",
            "2 nodes run something that it must keep apart from",
        ),
        (
            "node(s) didn't match pod topology spread constraints",
            "2 nodes have their share of such servers",
        ),
        (
            "node(s) didn't match pod topology spread constraints (missing required label)",
            "2 nodes are not meant for it",
        ),
        (
            "node(s) didn't match PersistentVolume's node affinity",
            "2 nodes cannot reach its storage",
        ),
        ("something quite new", "2 something quite new"),
    ],
)
def test_why_nodes_do_not_take_it(said: str, words: str) -> None:
    assert on_nodes(said, 2, an_offer()) == words


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ('persistentvolumeclaim "claim-ada" not found', "its storage does not exist"),
        (
            'persistentvolumeclaim "a" bound to non-existent persistentvolume "b"',
            "its storage is gone",
        ),
        ('persistentvolumeclaim "a" is being deleted', "what it needs is just being deleted"),
        ('persistentvolume "b" not found', "its storage is gone"),
        ("pod has unbound immediate PersistentVolumeClaims", "its storage has not been made yet"),
        ('could not find ResourceClaim "a/b"', "the devices set aside for it do not exist"),
        ("resourceclaim in use", "the devices set aside for it are in use"),
        (
            "request a: device class b does not exist",
            "the cluster has no devices of the kind it asks for",
        ),
        (
            "PVC a/b was not created for pod a/c (pod is not owner)",
            "its storage belongs to another pod",
        ),
        ("something quite new", "something quite new"),
    ],
)
def test_why_it_can_go_nowhere(said: str, words: str) -> None:
    assert nowhere(said) == words


def test_all_that_the_checks_say_has_words() -> None:
    """Whoever writes a new check gives its words a sentence."""
    said = set(re.findall(r'"(node\(s\) [^"]+)"', IN_FIT))
    assert len(said) > 10
    offer = an_offer()
    assert [words for words in said if "node(s)" in on_nodes(words, 1, offer)] == []
    blocked = re.findall(r"Blocked\(\s*f?(?P<quote>['\"])(.+?)(?P=quote)", IN_FIT)
    assert len(blocked) > 6
    assert [words for _, words in blocked if nowhere(words) == words] == []
