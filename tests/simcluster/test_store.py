from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.patching import PatchKind
from gpuspawner.simcluster.apimachinery.resources import (
    CONFIGMAPS,
    NAMESPACES,
    NODES,
    PODS,
    SECRETS,
    ResourceType,
)
from gpuspawner.simcluster.apimachinery.status import ApiError
from gpuspawner.simcluster.storage.history import Event
from gpuspawner.simcluster.storage.lifecycle import Preconditions
from gpuspawner.simcluster.storage.store import Store


def configmap(name: str, **meta: Any) -> Object:
    return {"metadata": {"name": name} | meta}


def owned_by(*owners: Object) -> list[Object]:
    return [
        {
            "apiVersion": item["apiVersion"],
            "kind": item["kind"],
            "name": item["metadata"]["name"],
            "uid": item["metadata"]["uid"],
        }
        for item in owners
    ]


def names(store: Store, resource: ResourceType) -> list[str]:
    return [item["metadata"]["name"] for item in store.list(resource, "default")[0]]


def events_since(store: Store, resource: ResourceType, since: str) -> list[Event]:
    return store.subscribe(resource, since=since).take()


def test_create_stamps_identity_and_version() -> None:
    store = Store(now=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    made = store.create(CONFIGMAPS, "default", configmap("a"))
    meta = made["metadata"]
    assert (made["kind"], made["apiVersion"], meta["namespace"]) == ("ConfigMap", "v1", "default")
    assert meta["creationTimestamp"] == "2026-01-02T03:04:05Z"
    assert meta["uid"]
    assert meta["resourceVersion"] == str(store.revision)
    assert store.get(CONFIGMAPS, "default", "a") == made


def test_a_name_is_generated_from_a_prefix(store: Store) -> None:
    made = store.create(CONFIGMAPS, "default", {"metadata": {"generateName": "run-"}})
    assert made["metadata"]["name"].startswith("run-")
    assert len(made["metadata"]["name"]) == len("run-") + 5


@pytest.mark.parametrize(
    ("namespace", "obj", "code", "reason"),
    [
        pytest.param(
            "default", configmap("taken"), 409, "AlreadyExists", id="a name that is taken"
        ),
        pytest.param(
            "nowhere", configmap("a"), 404, "NotFound", id="a namespace that is not there"
        ),
        pytest.param(None, configmap("a"), 400, "BadRequest", id="no namespace"),
        pytest.param(
            "default", configmap("a", namespace="kube-system"), 400, "BadRequest", id="two of them"
        ),
        pytest.param("default", {"metadata": {}}, 422, "Invalid", id="no name"),
        pytest.param("default", configmap("Not_DNS"), 422, "Invalid", id="a name that is not DNS"),
        pytest.param(
            "default", configmap("a", labels={"k": "-"}), 422, "Invalid", id="a bad label"
        ),
        pytest.param("default", {"kind": "Pod"}, 400, "BadRequest", id="another kind"),
    ],
)
def test_what_cannot_be_created(
    store: Store, namespace: str | None, obj: Object, code: int, reason: str
) -> None:
    store.create(CONFIGMAPS, "default", configmap("taken"))
    before = store.revision
    with pytest.raises(ApiError) as caught:
        store.create(CONFIGMAPS, namespace, obj)
    assert (caught.value.code, caught.value.reason) == (code, reason)
    assert store.revision == before


def test_the_store_aliases_neither_what_it_takes_nor_what_it_gives(store: Store) -> None:
    obj = {**configmap("a"), "data": {"k": "v"}}
    made = store.create(CONFIGMAPS, "default", obj)
    obj["data"]["k"] = "changed"
    made["data"]["k"] = "changed"
    store.get(CONFIGMAPS, "default", "a")["data"]["k"] = "changed"
    assert store.get(CONFIGMAPS, "default", "a")["data"] == {"k": "v"}


def test_a_dry_run_changes_nothing(store: Store, make_pod: Callable[..., Object]) -> None:
    make_pod("p", nodeName="n")
    before = store.revision
    made = store.create(CONFIGMAPS, "default", configmap("a"), dry_run=True)
    assert made["metadata"]["uid"]
    patched = store.patch(PODS, "default", "p", {"metadata": {"labels": {"a": "b"}}}, dry_run=True)
    assert patched["metadata"]["labels"] == {"a": "b"}
    store.delete(PODS, "default", "p", dry_run=True)
    assert store.revision == before


def test_a_stale_write_is_a_conflict(store: Store) -> None:
    first = store.create(CONFIGMAPS, "default", configmap("a"))
    store.replace(CONFIGMAPS, "default", "a", {**first, "data": {"k": "1"}})
    with pytest.raises(ApiError, match="the object has been modified") as caught:
        store.replace(CONFIGMAPS, "default", "a", {**first, "data": {"k": "2"}})
    assert (caught.value.code, caught.value.reason) == (409, "Conflict")
    stale = {"metadata": {"resourceVersion": first["metadata"]["resourceVersion"]}, "data": {}}
    with pytest.raises(ApiError, match="the object has been modified"):
        store.patch(CONFIGMAPS, "default", "a", stale)


@pytest.mark.parametrize("meta", [{}, {"resourceVersion": None}, {"resourceVersion": ""}])
def test_a_write_without_a_version_is_unconditional(store: Store, meta: Object) -> None:
    store.create(CONFIGMAPS, "default", configmap("a"))
    unversioned = {**configmap("a", **meta), "data": {"k": "1"}}
    written = store.replace(CONFIGMAPS, "default", "a", unversioned)
    assert written["data"] == {"k": "1"}


@pytest.mark.parametrize(
    ("meta", "code"),
    [
        pytest.param({"name": "b"}, 400, id="another name"),
        pytest.param({"uid": "other"}, 409, id="another object of the same name"),
    ],
)
def test_a_write_must_mean_the_object(store: Store, meta: Object, code: int) -> None:
    store.create(CONFIGMAPS, "default", configmap("a"))
    with pytest.raises(ApiError) as caught:
        store.replace(CONFIGMAPS, "default", "a", {"metadata": meta})
    assert caught.value.code == code


def test_a_write_that_changes_nothing_makes_no_event(store: Store) -> None:
    made = store.create(CONFIGMAPS, "default", configmap("a", labels={"k": "v"}))
    same = store.patch(CONFIGMAPS, "default", "a", {"metadata": {"labels": {"k": "v"}}})
    assert same == made
    assert events_since(store, CONFIGMAPS, made["metadata"]["resourceVersion"]) == []


def test_status_and_spec_are_written_apart(store: Store, make_pod: Callable[..., Object]) -> None:
    make_pod("p")
    both = {"metadata": {"labels": {"a": "b"}}, "status": {"phase": "Running"}}
    assert store.patch(PODS, "default", "p", both)["status"]["phase"] == "Pending"
    change = {"spec": {"nodeName": "n"}, "status": {"phase": "Running"}}
    written = store.patch(PODS, "default", "p", change, subresource="status")
    assert written["status"]["phase"] == "Running"
    assert "nodeName" not in written["spec"]


def test_a_pods_spec_is_fixed(store: Store, make_pod: Callable[..., Object]) -> None:
    make_pod("p")
    with pytest.raises(ApiError, match="pod updates may not change fields") as caught:
        store.patch(PODS, "default", "p", {"spec": {"nodeName": "n"}})
    assert caught.value.code == 422
    image = {"spec": {"containers": [{"name": "notebook", "image": "other"}]}}
    patched = store.patch(PODS, "default", "p", image, kind=PatchKind.STRATEGIC)
    assert patched["spec"]["containers"][0]["image"] == "other"


def test_the_status_of_a_created_node_is_kept(store: Store) -> None:
    node = {"metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "4"}}}
    assert store.create(NODES, None, node)["status"] == {"allocatable": {"cpu": "4"}}


def test_binding_happens_once(store: Store, make_pod: Callable[..., Object]) -> None:
    make_pod("p")
    store.bind("default", "p", "n1")
    pod = store.get(PODS, "default", "p")
    assert pod["spec"]["nodeName"] == "n1"
    assert [item["type"] for item in pod["status"]["conditions"]] == ["PodScheduled"]
    with pytest.raises(ApiError, match='is already assigned to node "n1"') as caught:
        store.bind("default", "p", "n2")
    assert caught.value.code == 409


@pytest.mark.parametrize(
    ("spec", "phase", "grace", "gone"),
    [
        pytest.param({}, "Pending", None, True, id="an unbound pod goes at once"),
        pytest.param({"nodeName": "n"}, "Running", None, False, id="a bound pod waits"),
        pytest.param({"nodeName": "n"}, "Pending", None, False, id="a starting pod waits"),
        pytest.param({"nodeName": "n"}, "Running", 0, True, id="grace 0 is at once"),
        pytest.param({"nodeName": "n"}, "Succeeded", None, True, id="an ended pod goes at once"),
        pytest.param(
            {"nodeName": "n"}, "Failed", 30, True, id="grace does not revive a failed pod"
        ),
    ],
)
def test_when_a_deleted_pod_goes(
    store: Store,
    make_pod: Callable[..., Object],
    *,
    spec: Object,
    phase: str,
    grace: int | None,
    gone: bool,
) -> None:
    make_pod("p", **spec)
    store.patch(PODS, "default", "p", {"status": {"phase": phase}}, subresource="status")
    before = str(store.revision)
    store.delete(PODS, "default", "p", grace_seconds=grace)
    assert store.contains(PODS, "default", "p") is not gone
    changes = ["MODIFIED", "DELETED"] if gone else ["MODIFIED"]
    assert [item.type for item in events_since(store, PODS, before)] == changes


def test_graceful_deletion_ends_with_the_kubelet() -> None:
    store = Store(now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    pod = {"metadata": {"name": "p"}, "spec": {"nodeName": "n", "containers": [{"name": "c"}]}}
    store.create(PODS, "default", pod)
    marked = store.delete(PODS, "default", "p", grace_seconds=20)["metadata"]
    assert marked["deletionTimestamp"] == "2026-01-01T00:00:20Z"
    assert marked["deletionGracePeriodSeconds"] == 20
    version = store.revision
    store.delete(PODS, "default", "p", grace_seconds=25)
    assert store.revision == version, "a deletion is never lengthened"
    shorter = store.delete(PODS, "default", "p", grace_seconds=5)["metadata"]
    assert shorter["deletionTimestamp"] == "2026-01-01T00:00:05Z"
    store.finalize_deletion(PODS, "default", "p")
    assert not store.contains(PODS, "default", "p")


def test_a_finalizer_keeps_an_object_until_it_is_removed(store: Store) -> None:
    store.create(CONFIGMAPS, "default", configmap("a", finalizers=["example.org/wait"]))
    assert "deletionTimestamp" in store.delete(CONFIGMAPS, "default", "a")["metadata"]
    assert store.contains(CONFIGMAPS, "default", "a")
    before = str(store.revision)
    store.patch(CONFIGMAPS, "default", "a", {"metadata": {"finalizers": None}})
    assert [item.type for item in events_since(store, CONFIGMAPS, before)] == ["DELETED"]


@pytest.mark.parametrize("field", ["uid", "resource_version"])
def test_preconditions_guard_a_delete(store: Store, field: str) -> None:
    store.create(CONFIGMAPS, "default", configmap("a"))
    with pytest.raises(ApiError, match="Precondition failed") as caught:
        store.delete(CONFIGMAPS, "default", "a", preconditions=Preconditions(**{field: "other"}))
    assert caught.value.code == 409


def test_dependents_go_with_their_last_owner(store: Store, make_pod: Callable[..., Object]) -> None:
    one, two = make_pod("one"), make_pod("two")
    only_one = store.create(SECRETS, "default", configmap("x", ownerReferences=owned_by(one)))
    store.create(SECRETS, "default", configmap("both", ownerReferences=owned_by(one, two)))
    store.create(CONFIGMAPS, "default", configmap("y", ownerReferences=owned_by(only_one)))
    store.delete(PODS, "default", "one")
    assert names(store, SECRETS) == ["both"]
    assert names(store, CONFIGMAPS) == [], "dependents of dependents go too"
    store.delete(PODS, "default", "two")
    assert names(store, SECRETS) == []


def test_dependents_wait_for_a_graceful_owner(
    store: Store, make_pod: Callable[..., Object]
) -> None:
    owner = make_pod("p", nodeName="n")
    store.create(SECRETS, "default", configmap("s", ownerReferences=owned_by(owner)))
    store.delete(PODS, "default", "p")
    assert names(store, SECRETS) == ["s"]
    store.finalize_deletion(PODS, "default", "p")
    assert names(store, SECRETS) == []


def test_orphans_outlive_their_owner(store: Store, make_pod: Callable[..., Object]) -> None:
    owner = make_pod("p")
    store.create(SECRETS, "default", configmap("s", ownerReferences=owned_by(owner)))
    store.delete(PODS, "default", "p", propagation="Orphan")
    assert store.get(SECRETS, "default", "s")["metadata"].get("ownerReferences", []) == []


def test_a_namespace_goes_after_its_contents(store: Store) -> None:
    store.create(NAMESPACES, None, configmap("blue"))
    pod = {"metadata": {"name": "p"}, "spec": {"nodeName": "n", "containers": [{"name": "c"}]}}
    store.create(PODS, "blue", pod)
    store.create(CONFIGMAPS, "blue", configmap("a"))
    store.delete(NAMESPACES, None, "blue")
    assert store.get(NAMESPACES, None, "blue")["status"] == {"phase": "Terminating"}
    assert not store.contains(CONFIGMAPS, "blue", "a")
    with pytest.raises(ApiError, match="because it is being terminated"):
        store.create(CONFIGMAPS, "blue", configmap("b"))
    store.finalize_deletion(PODS, "blue", "p")
    assert not store.contains(NAMESPACES, None, "blue")


def test_an_empty_namespace_goes_at_once(store: Store) -> None:
    store.create(NAMESPACES, None, configmap("blue"))
    store.delete(NAMESPACES, None, "blue")
    assert not store.contains(NAMESPACES, None, "blue")


def test_the_past_is_kept_as_far_as_the_history(store: Store) -> None:
    store.create(CONFIGMAPS, "default", configmap("a"))
    store.create(CONFIGMAPS, "default", configmap("b"))
    then = store.revision
    expected = store.snapshot(CONFIGMAPS)
    store.patch(CONFIGMAPS, "default", "a", {"data": {"k": "v"}})
    store.patch(CONFIGMAPS, "default", "a", {"data": {"k": "w"}})
    store.delete(CONFIGMAPS, "default", "b")
    store.create(CONFIGMAPS, "default", configmap("c"))
    assert store.snapshot(CONFIGMAPS, then) == expected
    store.compact()
    with pytest.raises(ApiError, match="too old resource version"):
        store.snapshot(CONFIGMAPS, then)


def test_a_small_history_forgets_the_oldest() -> None:
    store = Store(history_limit=3)
    start = str(store.revision)
    for number in range(3):
        store.create(CONFIGMAPS, "default", configmap(f"c{number}"))
    assert len(events_since(store, CONFIGMAPS, start)) == 3
    store.create(CONFIGMAPS, "default", configmap("one-more"))
    with pytest.raises(ApiError) as caught:
        store.subscribe(CONFIGMAPS, since=start)
    assert caught.value.code == 410


async def test_a_subscription_delivers_and_ends_when_closed(store: Store) -> None:
    subscription = store.subscribe(CONFIGMAPS)

    async def read() -> list[str]:
        return [event.object["metadata"]["name"] async for event in subscription]

    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    store.create(CONFIGMAPS, "default", configmap("a"))
    store.create(SECRETS, "default", configmap("not-this"))
    await asyncio.sleep(0)
    subscription.close()
    async with asyncio.timeout(5):
        assert await reader == ["a"]


async def test_a_subscriber_that_falls_behind_is_told() -> None:
    store = Store(history_limit=2)
    subscription = store.subscribe(CONFIGMAPS)
    for number in range(3):
        store.create(CONFIGMAPS, "default", configmap(f"c{number}"))
    with pytest.raises(ApiError) as caught:
        await anext(subscription)
    assert caught.value.code == 410


async def test_compaction_does_not_hurt_who_is_up_to_date(store: Store) -> None:
    subscription = store.subscribe(CONFIGMAPS)
    store.create(CONFIGMAPS, "default", configmap("a"))
    await anext(subscription)
    store.create(SECRETS, "default", configmap("elsewhere"))
    store.compact()
    store.create(CONFIGMAPS, "default", configmap("b"))
    async with asyncio.timeout(5):
        assert (await anext(subscription)).object["metadata"]["name"] == "b"


STEPS = st.lists(
    st.tuples(st.sampled_from(["create", "patch", "delete"]), st.sampled_from("abc")), max_size=25
)


@given(steps=STEPS, at=st.integers(min_value=0, max_value=25))
def test_a_list_followed_by_its_events_is_the_present(
    steps: list[tuple[str, str]], at: int
) -> None:
    store = Store()
    seen: dict[str, Object] = {}
    since = str(store.revision)
    for number, (verb, name) in enumerate(steps):
        if number == at:
            objects, since = store.list(CONFIGMAPS, "default")
            seen = {item["metadata"]["name"]: item for item in objects}
        exists = store.contains(CONFIGMAPS, "default", name)
        if verb == "create" and not exists:
            store.create(CONFIGMAPS, "default", configmap(name))
        elif verb == "patch" and exists:
            store.patch(CONFIGMAPS, "default", name, {"data": {"n": str(number)}})
        elif verb == "delete" and exists:
            store.delete(CONFIGMAPS, "default", name)
    versions = []
    for event in events_since(store, CONFIGMAPS, since):
        name = event.object["metadata"]["name"]
        versions.append(event.revision)
        if event.type == "DELETED":
            assert seen.pop(name) == event.previous
        else:
            assert seen.get(name) == event.previous
            seen[name] = event.object
    assert seen == {item["metadata"]["name"]: item for item in store.list(CONFIGMAPS, "default")[0]}
    assert versions == sorted(set(versions))
