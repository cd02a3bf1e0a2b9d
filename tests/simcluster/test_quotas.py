"""ResourceQuota on pods: what is counted, and the API server's own words when it does not do."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import (
    LIMITRANGES,
    PODS,
    RESOURCEQUOTAS,
    RUNTIMECLASSES,
)
from gpuspawner.simcluster.apimachinery.status import ApiError
from gpuspawner.simcluster.storage.store import Store

GPU = "nvidia.com/gpu"


def allow(store: Store, name: str = "hub", **spec: Any) -> None:
    quota = {"metadata": {"name": name}, "spec": {"hard": spec.pop("hard"), **spec}}
    store.create(RESOURCEQUOTAS, "default", quota)


def create(
    store: Store,
    name: str = "p",
    requests: Object | None = None,
    limits: Object | None = None,
    *,
    dry_run: bool = False,
    **spec: Any,
) -> Object:
    resources = {"requests": requests or {}, "limits": limits or {}}
    containers = [{"name": "notebook", "resources": resources}]
    pod = {"metadata": {"name": name}, "spec": {"containers": containers, **spec}}
    return store.create(PODS, "default", pod, dry_run=dry_run)


def refusal(store: Store, *args: Any, **options: Any) -> str:
    with pytest.raises(ApiError) as caught:
        create(store, *args, **options)
    assert (caught.value.code, caught.value.reason) == (403, "Forbidden")
    return caught.value.message


def used(store: Store, name: str = "hub") -> Object:
    status: Object = store.get(RESOURCEQUOTAS, "default", name)["status"]["used"]
    return status


@pytest.mark.parametrize(
    ("hard", "requests", "words"),
    [
        pytest.param(
            {f"requests.{GPU}": "1"},
            {GPU: "1"},
            f"requested: requests.{GPU}=1, used: requests.{GPU}=1, limited: requests.{GPU}=1",
            id="an extended resource counts by its request",
        ),
        pytest.param(
            {"pods": "1"}, {}, "requested: pods=1, used: pods=1, limited: pods=1", id="pods"
        ),
        pytest.param(
            {"requests.cpu": "1500m", "memory": "3Gi"},
            {"cpu": "1", "memory": "2Gi"},
            "requested: memory=2Gi,requests.cpu=1, used: memory=2Gi,requests.cpu=1, "
            "limited: memory=3Gi,requests.cpu=1500m",
            id="all that is short is named, in order",
        ),
    ],
)
def test_the_second_pod_is_refused_in_the_api_servers_words(
    store: Store, hard: Object, requests: Object, words: str
) -> None:
    allow(store, hard=hard)
    create(store, "first", requests)
    assert refusal(store, "p", requests) == f'pods "p" is forbidden: exceeded quota: hub, {words}'


def test_a_dry_run_is_refused_too_and_uses_nothing(store: Store) -> None:
    allow(store, hard={f"requests.{GPU}": "1"})
    create(store, requests={GPU: "1"}, limits={GPU: "1"}, dry_run=True)
    assert used(store) == {f"requests.{GPU}": "0"}
    create(store, "first", {GPU: "1"})
    assert "exceeded quota: hub" in refusal(store, "p", {GPU: "1"}, dry_run=True)


def test_what_ends_or_goes_is_freed(store: Store) -> None:
    allow(store, hard={"pods": "1"})
    create(store, "first")
    store.patch(PODS, "default", "first", {"status": {"phase": "Failed"}}, subresource="status")
    assert used(store) == {"pods": "0"}
    create(store, "second")
    store.delete(PODS, "default", "second")
    create(store, "third")
    assert used(store) == {"pods": "1"}


def test_overhead_and_defaults_of_the_namespace_count(store: Store) -> None:
    item = {"type": "Container", "defaultRequest": {"cpu": "1"}}
    store.create(LIMITRANGES, "default", {"metadata": {"name": "l"}, "spec": {"limits": [item]}})
    runtime = {"metadata": {"name": "kata"}, "overhead": {"podFixed": {"cpu": "250m"}}}
    store.create(RUNTIMECLASSES, None, runtime)
    allow(store, hard={"cpu": "4"})
    create(store, runtimeClassName="kata")
    assert used(store) == {"cpu": "1250m"}


def test_an_init_container_counts_if_it_needs_more(store: Store) -> None:
    allow(store, hard={"requests.memory": "8Gi"})
    init = [{"name": "i", "resources": {"requests": {"memory": "4Gi"}}}]
    create(store, requests={"memory": "1Gi"}, initContainers=init)
    assert used(store) == {"requests.memory": "4Gi"}


@pytest.mark.parametrize(
    ("hard", "words"),
    [
        pytest.param({"limits.cpu": "4"}, "limits.cpu for: notebook", id="a limit"),
        pytest.param(
            {"cpu": "4", "memory": "4Gi"},
            "cpu for: notebook; memory for: notebook",
            id="two requests",
        ),
    ],
)
def test_what_a_quota_counts_must_be_set(store: Store, hard: Object, words: str) -> None:
    allow(store, hard=hard)
    expected = f'pods "p" is forbidden: failed quota: hub: must specify {words}'
    assert refusal(store) == expected


def test_what_must_be_set_comes_before_what_is_used_up(store: Store) -> None:
    allow(store, "a", hard={"pods": "0"})
    allow(store, "b", hard={"cpu": "4"})
    assert "failed quota: b" in refusal(store)


@pytest.mark.parametrize(
    ("spec", "counts"),
    [
        pytest.param({"scopes": ["BestEffort"]}, True, id="one for best effort"),
        pytest.param({"scopes": ["NotBestEffort"]}, False, id="one for the others"),
        pytest.param({"scopes": ["NotTerminating"]}, True, id="one for pods without a deadline"),
        pytest.param({"scopes": ["Terminating"]}, False, id="one for pods with a deadline"),
        pytest.param(
            {
                "scopeSelector": {
                    "matchExpressions": [
                        {"scopeName": "PriorityClass", "operator": "In", "values": ["gold"]}
                    ]
                }
            },
            False,
            id="one for another priority class",
        ),
    ],
)
def test_a_quota_counts_the_pods_in_its_scope(store: Store, spec: Object, counts: bool) -> None:
    allow(store, hard={"pods": "5"}, **spec)
    create(store)
    assert used(store) == {"pods": "1" if counts else "0"}


def test_a_quota_on_other_things_does_not_concern_pods(store: Store) -> None:
    allow(store, hard={"services": "0", GPU: "0"})
    create(store, requests={GPU: "1"})
    assert used(store) == {}


def test_an_amount_that_is_no_quantity_does_not_stop_the_counting(store: Store) -> None:
    allow(store, hard={"pods": "5", f"requests.{GPU}": "a lot", "memory": "4Gi"})
    create(store, requests={"memory": "1Gi", GPU: "some"})
    assert used(store) == {"pods": "1", "memory": "1Gi"}
