"""Claims that are bound, that wait for their first consumer, and that ought to be bound."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gpuspawner.capacity.model import (
    CSIDriver,
    NodeSelectorTerm,
    PersistentVolumeClaim,
    PodRequest,
    Requirement,
    StorageClass,
)
from gpuspawner.fit.volume_binding import prepare

from ..builders import a_cluster, a_node, a_request
from ..storage_builders import (
    DRIVER,
    GIB,
    ZONE,
    a_bound_claim,
    a_claim,
    a_class,
    a_csi_node,
    a_new_claim,
    a_volume,
    a_zonal_node,
    answers,
    in_zones,
    mounting,
)

ELSEWHERE = "node(s) didn't match PersistentVolume's node affinity"
NO_VOLUME = "node(s) didn't find available persistent volumes to bind"
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
IMMEDIATE = "volumeBindingMode Immediate"
A, B = a_zonal_node("a", "a"), a_zonal_node("b", "b")
BOTH: dict[str, list[str]] = {"a": [], "b": []}
ONLY_A = {"a": [], "b": [NO_VOLUME]}
NONE = {"a": [NO_VOLUME], "b": [NO_VOLUME]}
STATIC = a_class(provisioner="kubernetes.io/no-provisioner")
IN_A = a_class(topologies=((Requirement(ZONE, "In", ("a",)),),))


def ask(request: PodRequest, *things: Any, unknown: tuple[str, ...] = ()) -> object:
    snapshot = a_cluster(A, B, *things, unknown=unknown)
    return answers(prepare(request, snapshot), snapshot)


@pytest.mark.parametrize(
    ("things", "expected"),
    [
        pytest.param([a_volume()], BOTH, id="a volume without affinity goes anywhere"),
        pytest.param(
            [a_volume(affinity=in_zones("a"))],
            {"a": [], "b": [ELSEWHERE]},
            id="the volume's affinity holds the pod",
        ),
        pytest.param(
            [a_volume(affinity=())],
            {"a": [ELSEWHERE], "b": [ELSEWHERE]},
            id="an affinity without terms holds nowhere",
        ),
        pytest.param(
            [
                a_volume(
                    affinity=(
                        NodeSelectorTerm(fields=(Requirement("metadata.name", "In", ("a",)),)),
                    )
                )
            ],
            BOTH,
            id="a volume never learns the name of a node, and a term does without",
        ),
        pytest.param(
            [],
            {
                name: ["node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"]
                for name in "ab"
            },
            id="its volume is gone",
        ),
        pytest.param(
            [a_volume(affinity=in_zones("a"), in_tree="kubernetes.io/aws-ebs")],
            {"a": [], "b": [ELSEWHERE]},
            id="a disk of an old kind is read as it is where no driver took it over",
        ),
        pytest.param(
            [
                a_volume(affinity=in_zones("a"), in_tree="kubernetes.io/aws-ebs"),
                a_csi_node("a", migrated=frozenset({"kubernetes.io/aws-ebs"})),
            ],
            {"a": [ELSEWHERE], "b": [ELSEWHERE]},
            id="where a driver took it over, the driver's own label of the zone decides",
        ),
    ],
)
def test_a_bound_claim(things: list[Any], expected: object) -> None:
    assert ask(mounting("home"), a_bound_claim(), *things) == expected


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        pytest.param(
            a_bound_claim(phase="Lost"),
            'persistentvolumeclaim "home" bound to non-existent persistentvolume "pv"',
            id="lost",
        ),
        pytest.param(
            a_bound_claim(terminating=True),
            'persistentvolumeclaim "home" is being deleted',
            id="being deleted",
        ),
        pytest.param(a_claim(volume="pv"), UNBOUND, id="the binding is not complete"),
        pytest.param(
            a_claim(storage_class="static"), UNBOUND, id="its class does not wait, nor provision"
        ),
        pytest.param(
            a_claim(storage_class="now", phase=""), UNBOUND, id="it is not even said to be pending"
        ),
        pytest.param(a_claim(storage_class=""), UNBOUND, id="it has no class"),
        pytest.param(a_claim(storage_class="manual"), UNBOUND, id="its class is not there"),
    ],
)
def test_claims_that_block_the_pod(claim: PersistentVolumeClaim, expected: str) -> None:
    static = replace(STATIC, name="static", waits=False)
    classes = [a_class(), a_class("now", waits=False), static]
    assert ask(mounting("home"), claim, a_volume(), *classes) == expected


def test_where_the_volume_that_is_being_made_will_be_is_unknown() -> None:
    claim = a_claim(storage_class="now")
    now = a_class("now", waits=False)
    assert ask(mounting("home"), claim, now) == {name: [IMMEDIATE] for name in "ab"}


@pytest.mark.parametrize(
    ("cls", "things", "expected"),
    [
        pytest.param(STATIC, [a_volume()], BOTH, id="a volume to bind"),
        pytest.param(STATIC, [], NONE, id="no volume, and nobody makes one"),
        pytest.param(
            STATIC, [a_volume(affinity=in_zones("a"))], ONLY_A, id="a volume on one of the nodes"
        ),
        pytest.param(STATIC, [a_volume(capacity=9 * GIB)], NONE, id="a volume that is too small"),
        pytest.param(STATIC, [a_volume(storage_class="other")], NONE, id="one of another class"),
        pytest.param(STATIC, [a_volume(volume_mode="Block")], NONE, id="one of another mode"),
        pytest.param(STATIC, [a_volume(attributes_class="gold")], NONE, id="of other attributes"),
        pytest.param(STATIC, [a_volume(phase="Released")], NONE, id="one that is not available"),
        pytest.param(STATIC, [a_volume(terminating=True)], NONE, id="one that is being deleted"),
        pytest.param(
            STATIC, [a_volume(access_modes=("ReadOnlyMany",))], NONE, id="without the access mode"
        ),
        pytest.param(
            STATIC, [a_volume(claim=("jhub", "other", ""))], NONE, id="one kept for another claim"
        ),
        pytest.param(
            STATIC,
            [a_volume(claim=("jhub", "home", ""), phase="Pending", access_modes=())],
            BOTH,
            id="one kept for this claim, whatever else it is",
        ),
        pytest.param(
            STATIC,
            [a_volume(claim=("jhub", "home", ""), storage_class="other")],
            NONE,
            id="one of another class, even if it is kept for this claim",
        ),
        pytest.param(
            STATIC,
            [a_volume(claim=("jhub", "home", "uid-of-an-earlier-one"))],
            NONE,
            id="one kept for an earlier claim of that name",
        ),
        pytest.param(
            STATIC,
            [a_volume("mine", claim=("jhub", "home", ""), affinity=in_zones("a")), a_volume()],
            ONLY_A,
            id="where one is kept for it, no other will do",
        ),
        pytest.param(a_class(), [], BOTH, id="a new volume can be made anywhere"),
        pytest.param(IN_A, [], ONLY_A, id="a new volume can be made where the class allows"),
        pytest.param(IN_A, [a_volume()], BOTH, id="a volume that is there goes before a new one"),
        pytest.param(
            a_class(topologies=((),)), [], NONE, id="a term of topologies without labels is nowhere"
        ),
        pytest.param(
            a_class(),
            [CSIDriver(DRIVER, "u", tracks_capacity=True)],
            {name: ["CSIStorageCapacity"] for name in "ab"},
            id="how much room the driver has is unknown",
        ),
        pytest.param(
            a_class(), [CSIDriver(DRIVER, "u")], BOTH, id="a driver that does not say has room"
        ),
    ],
)
def test_a_claim_that_waits(cls: StorageClass, things: list[Any], expected: object) -> None:
    assert ask(mounting("home"), a_claim(), cls, *things) == expected


def test_a_selector_chooses_among_volumes() -> None:
    claim = a_claim(selector=(Requirement("tier", "In", ("fast",)),))
    volumes = a_volume("slow"), a_volume("fast", labels={"tier": "fast"}, affinity=in_zones("a"))
    assert ask(mounting("home"), claim, STATIC, *volumes) == ONLY_A


def test_two_claims_do_not_share_a_volume() -> None:
    request = mounting("large", "small")
    claims = a_claim("large"), a_claim("small", size=GIB)
    assert ask(request, STATIC, *claims, a_volume()) == NONE
    assert ask(request, STATIC, *claims, a_volume(), a_volume("other", capacity=GIB)) == BOTH


def test_a_claim_whose_volume_is_being_made_holds_to_that_node() -> None:
    claim = a_claim(selected_node="a")
    assert ask(mounting("home"), claim, a_class(), a_volume()) == ONLY_A


def test_all_claims_that_do_not_agree_with_a_node_are_named() -> None:
    bound = a_bound_claim("data", "far")
    volume = a_volume("far", affinity=in_zones("b"), claim=("jhub", "data", ""))
    assert ask(mounting("data", "home"), bound, volume, a_claim(), IN_A) == {
        "a": [ELSEWHERE],
        "b": [NO_VOLUME],
    }
    assert ask(mounting("data", "home"), bound, volume, a_claim(), STATIC) == {
        "a": [ELSEWHERE, NO_VOLUME],
        "b": [NO_VOLUME],
    }


DEFAULT = a_class("standard", is_default=True)
AT_ONCE = a_class("now", waits=False)
PLACELESS = a_csi_node("a", topology_keys={DRIVER: ()})
PLACED = a_csi_node("a", topology_keys={DRIVER: (ZONE,)})
DOUBT = {name: [IMMEDIATE] for name in "ab"}


@pytest.mark.parametrize(
    ("named", "things", "expected"),
    [
        pytest.param("wait", [a_class()], BOTH, id="its class waits: as if it were there"),
        pytest.param("wait", [IN_A], ONLY_A, id="its class waits: where the topologies allow"),
        pytest.param("wait", [STATIC], NONE, id="nobody makes volumes, and none is there"),
        pytest.param(None, [DEFAULT, IN_A], BOTH, id="no class: the default one"),
        pytest.param(
            None,
            [
                replace(DEFAULT, created="2026-01-01T00:00:00Z"),
                replace(IN_A, is_default=True, created="2026-01-02T00:00:00Z"),
            ],
            ONLY_A,
            id="of several default classes the newest",
        ),
        pytest.param(
            None,
            [replace(IN_A, name="aa", is_default=True), DEFAULT],
            ONLY_A,
            id="of several as new as each other the first by name",
        ),
        pytest.param(None, [a_class()], UNBOUND, id="no class, and none is the default"),
        pytest.param("", [DEFAULT], UNBOUND, id="the empty class is not the default one"),
        pytest.param("gone", [DEFAULT], UNBOUND, id="its class is not there"),
        pytest.param(
            "gone",
            [a_volume(storage_class="gone")],
            BOTH,
            id="its class is not there, but a volume of that class is",
        ),
        pytest.param(
            "now",
            [AT_ONCE, a_volume(storage_class="now", affinity=in_zones("a"))],
            DOUBT,
            id="bound at once to a volume that is somewhere",
        ),
        pytest.param("now", [AT_ONCE, PLACELESS], BOTH, id="made at once, of no place"),
        pytest.param("now", [AT_ONCE, PLACED], DOUBT, id="made at once, nobody knows where"),
        pytest.param("now", [AT_ONCE], DOUBT, id="made at once by a driver no node has"),
        pytest.param(
            "now",
            [AT_ONCE, a_volume("old", storage_class="now", claim=("x", "y", "z"))],
            BOTH,
            id="made at once by one that no node has, and it made volumes of no place before",
        ),
        pytest.param(
            "now",
            [
                AT_ONCE,
                a_volume("old", storage_class="now", claim=("x", "y", "z")),
                a_volume(
                    "older", storage_class="now", affinity=in_zones("a"), claim=("x", "z", "z")
                ),
            ],
            DOUBT,
            id="made at once by one that no node has, and it has made one somewhere",
        ),
        pytest.param(
            "now",
            [replace(AT_ONCE, topologies=IN_A.topologies), PLACELESS],
            DOUBT,
            id="made at once in one of some places",
        ),
        pytest.param(
            "now",
            [replace(AT_ONCE, provisioner="kubernetes.io/no-provisioner")],
            UNBOUND,
            id="nobody makes one, and none is there",
        ),
    ],
)
def test_a_claim_that_is_made_with_the_pod(
    named: str | None, things: list[Any], expected: object
) -> None:
    assert ask(mounting(to_make=[a_new_claim(storage_class=named)]), *things) == expected


@pytest.mark.parametrize(
    ("uid", "controller", "expected"),
    [
        pytest.param("u1", "u1", BOTH, id="made for this pod"),
        pytest.param(
            "u1",
            "u0",
            "PVC jhub/home was not created for pod jhub/ (pod is not owner)",
            id="made for another pod",
        ),
        pytest.param(
            "",
            "u0",
            {name: ["ephemeral volumes"] for name in "ab"},
            id="made for an earlier pod of that name, with which it goes away",
        ),
    ],
)
def test_the_claim_of_an_ephemeral_volume(uid: str, controller: str, expected: object) -> None:
    request = replace(mounting(to_make=[a_new_claim(is_ephemeral=True)]), uid=uid)
    assert ask(request, a_class(), a_claim(controller=controller)) == expected
    assert ask(request, a_class()) == BOTH


@pytest.mark.parametrize(
    ("claim", "unknown", "expected"),
    [
        pytest.param(a_claim(), "claims", "PersistentVolumeClaim", id="claims"),
        pytest.param(a_bound_claim(), "volumes", "PersistentVolume", id="volumes of bound claims"),
        pytest.param(a_claim(), "storage_classes", "StorageClass", id="classes"),
        pytest.param(a_claim(), "csi_drivers", "CSIDriver", id="drivers"),
    ],
)
def test_what_cannot_be_seen_is_unknown(
    claim: PersistentVolumeClaim, unknown: str, expected: str
) -> None:
    found = ask(mounting("home"), claim, a_class(), unknown=(unknown,))
    assert found == {name: [expected] for name in "ab"}


def test_volumes_that_cannot_be_seen_matter_only_where_none_can_be_made() -> None:
    found = ask(mounting("home"), a_claim(), IN_A, unknown=("volumes",))
    assert found == {"a": [], "b": ["PersistentVolume"]}


def test_what_is_certain_goes_before_what_is_unknown() -> None:
    bound, volume = a_bound_claim("data", "far"), a_volume("far", affinity=in_zones("b"))
    found = ask(mounting("data", "home"), bound, volume, a_claim(), unknown=("storage_classes",))
    assert found == {"a": [ELSEWHERE], "b": ["StorageClass"]}


def test_a_pod_without_claims_needs_no_check() -> None:
    assert prepare(a_request(), a_cluster(a_node(), unknown=["claims"])) is None
