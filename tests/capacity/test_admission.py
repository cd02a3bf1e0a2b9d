"""Dry runs on an API server with admission, over HTTP."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from kubernetes_asyncio.client import Configuration

from gpuspawner.capacity.admission import (
    AdmissionCheck,
    AdmissionTiming,
    Admitted,
    NotKnown,
    Refused,
)
from gpuspawner.capacity.model import PodRequest, read_request
from gpuspawner.capacity.transport import KubernetesTransport
from gpuspawner.errors import MalformedObjectError
from gpuspawner.simcluster.apimachinery.resources import (
    LIMITRANGES,
    PODS,
    PRIORITYCLASSES,
    RESOURCEQUOTAS,
    RUNTIMECLASSES,
)
from gpuspawner.simcluster.apiserver.api import make_app, serve
from gpuspawner.simcluster.apiserver.faults import Answer, Delay, Drop, FaultPlan, Hang, Refuse
from gpuspawner.simcluster.storage.store import Store

from ..storage_builders import a_new_claim

GPU = "nvidia.com/gpu"
PATH = "/api/v1/namespaces/default/pods"
NO_VERDICT = "the API server gave no verdict on the pod"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def a_manifest(name: str = "jupyter-ada", gpus: int = 1, **spec: Any) -> dict[str, Any]:
    resources = {"limits": {GPU: str(gpus)}} if gpus else {}
    return {
        "metadata": {"name": name, "labels": {"owner": name}},
        "spec": {"containers": [{"name": "notebook", "resources": resources}], **spec},
    }


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def faults() -> FaultPlan:
    return FaultPlan()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def check(store: Store, faults: FaultPlan, clock: Clock) -> AsyncIterator[AdmissionCheck]:
    async with serve(make_app(store, faults=faults)) as url:
        transport = KubernetesTransport(Configuration(host=url))
        check = AdmissionCheck(transport, clock=clock, timing=AdmissionTiming(entries=3))
        yield check
        await check.aclose()
        await transport.aclose()


def allow_gpus(store: Store, number: int) -> None:
    hard = {f"requests.{GPU}": str(number)}
    store.create(RESOURCEQUOTAS, "default", {"metadata": {"name": "hub"}, "spec": {"hard": hard}})


async def admitted(check: AdmissionCheck, manifest: dict[str, Any], key: str = "k") -> PodRequest:
    answer = await check.admit(manifest, "default", key=key)
    assert isinstance(answer, Admitted), answer
    return answer.request


async def test_the_request_is_what_the_api_server_makes_of_the_pod(
    check: AdmissionCheck, store: Store
) -> None:
    item = {"type": "Container", "default": {"cpu": "2"}, "defaultRequest": {"memory": "1Gi"}}
    store.create(LIMITRANGES, "default", {"metadata": {"name": "l"}, "spec": {"limits": [item]}})
    runtime = {
        "metadata": {"name": "nvidia"},
        "overhead": {"podFixed": {"memory": "1Gi"}},
        "scheduling": {"nodeSelector": {"runtime": "nvidia"}},
    }
    store.create(RUNTIMECLASSES, None, runtime)
    usual = {"metadata": {"name": "usual"}, "value": 7, "globalDefault": True}
    store.create(PRIORITYCLASSES, None, usual)
    request = await admitted(check, a_manifest(runtimeClassName="nvidia"))
    assert request.requests == {GPU: 1, "cpu": 2000, "memory": 2 * 2**30}
    assert request.node_selector == {"runtime": "nvidia"}
    assert request.priority == 7
    assert store.list(PODS, "default")[0] == []


async def test_a_pod_of_that_name_does_not_matter(check: AdmissionCheck, store: Store) -> None:
    store.create(PODS, "default", a_manifest())
    assert (await admitted(check, a_manifest())).requests == {GPU: 1}


async def test_what_is_a_persons_own_is_never_anothers(
    check: AdmissionCheck, faults: FaultPlan
) -> None:
    """A webhook labels the first person's pod and raises its priority; the second is not asked."""
    home = {"persistentVolumeClaim": {"claimName": "home-{name}"}, "name": "home"}
    scratch = {"ephemeral": {"volumeClaimTemplate": {"spec": {}}}, "name": "scratch"}

    def of(name: str) -> dict[str, Any]:
        text = json.dumps(a_manifest(name, volumes=[home, scratch]))
        manifest: dict[str, Any] = json.loads(text.replace("{name}", name))
        return manifest

    pod = of("jupyter-ada")
    pod["metadata"] |= {"name": "jupyter-ada-x7k2p", "uid": "u1"}
    pod["metadata"]["labels"]["seen"] = "ada"
    pod["spec"]["priority"] = 7
    pod["spec"]["volumes"][1]["ephemeral"]["volumeClaimTemplate"]["spec"]["storageClassName"] = "x"
    faults.add(Answer(json.dumps(pod).encode(), 201, "application/json"), verb="create")
    for name in ("jupyter-ada", "jupyter-bob"):
        read = dataclasses.replace(read_request(of(name)), namespace="default")
        claims = (*read.claims_to_make, a_new_claim(f"home-{name}"))
        own = dataclasses.replace(read, claims_to_make=claims, claims_may_appear=True)
        answer = await check.admit(of(name), "default", key="k", request=own)
        assert answer == Admitted(dataclasses.replace(own, priority=7))
    assert faults.count("create", PATH) == 1


async def test_one_request_for_each_key_and_for_a_while(
    check: AdmissionCheck, faults: FaultPlan, clock: Clock
) -> None:
    asked = []
    for key, later in (("a", 0), ("a", 59), ("b", 0), ("a", 2), ("a", 0)):
        clock.now += later
        await admitted(check, a_manifest(), key)
        asked.append(faults.count("create", PATH))
    assert asked == [1, 1, 2, 3, 3]


async def test_many_who_ask_at_once_share_one_request(
    check: AdmissionCheck, faults: FaultPlan
) -> None:
    faults.add(Delay(0.05), verb="create")
    asking = [asyncio.create_task(admitted(check, a_manifest())) for _ in range(5)]
    await asyncio.sleep(0)
    asking[0].cancel()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert [isinstance(answer, PodRequest) for answer in answers[1:]] == [True] * 4
    assert faults.count("create", PATH) == 1


async def test_the_memory_is_bounded(check: AdmissionCheck, faults: FaultPlan) -> None:
    for key in "abcd":
        await admitted(check, a_manifest(), key)
    await admitted(check, a_manifest(), "b")
    assert faults.count("create", PATH) == 4
    await admitted(check, a_manifest(), "a")
    assert faults.count("create", PATH) == 5


async def test_a_quota_that_is_used_up_is_told_and_soon_asked_for_again(
    check: AdmissionCheck, store: Store, faults: FaultPlan, clock: Clock
) -> None:
    allow_gpus(store, 1)
    store.create(PODS, "default", a_manifest("jupyter-eve"))
    answer = await check.admit(a_manifest(), "default", key="k")
    assert isinstance(answer, Refused)
    assert answer.denial.quota
    words = "the quota 'hub' allows 1 GPU in this namespace, 1 is used; "
    words += "it frees up as servers in this namespace end"
    assert answer.denial.words == words
    assert "exceeded quota: hub" in answer.detail
    store.delete(PODS, "default", "jupyter-eve")
    clock.now += 2.9
    assert await check.admit(a_manifest(), "default", key="k") == answer
    assert faults.count("create", PATH) == 1
    clock.now += 0.2
    await admitted(check, a_manifest())


async def test_a_limit_of_the_namespace_is_told_and_is_no_quota(
    check: AdmissionCheck, faults: FaultPlan
) -> None:
    message = f'pods "p" is forbidden: maximum {GPU} usage per Container is 1, but limit is 2'
    faults.add(a_status(403, message), verb="create")
    words = f"this namespace wants at most 1 {GPU} for each container"
    answer = await check.admit(a_manifest(gpus=2), "default", key="k")
    assert isinstance(answer, Refused)
    assert (answer.denial.words, answer.denial.quota) == (words, False)


async def test_a_refusal_by_no_amount_is_not_believed(check: AdmissionCheck) -> None:
    answer = await check.admit(a_manifest(priorityClassName="gold"), "default", key="k")
    assert answer == NotKnown(NO_VERDICT)
    assert isinstance(answer, NotKnown)
    assert "gold" in answer.detail


async def test_what_is_refused_is_logged_when_it_is_news(
    check: AdmissionCheck, store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    allow_gpus(store, 0)
    gold = a_manifest(priorityClassName="gold")
    with caplog.at_level("INFO", "gpuspawner"):
        for key, manifest in (("gold", gold), ("usual", a_manifest())):
            for later in (0, 100, 100):
                clock.now += later
                await check.admit(manifest, "default", key=key)
                await check.admit(manifest, "default", key=key)
        told = [(record.levelname, record.getMessage()) for record in caplog.records]
        assert [level for level, _ in told] == ["WARNING", "INFO"]
        assert "no PriorityClass with name gold was found" in told[0][1]
        assert "exceeded quota: hub" in told[1][1]
        store.delete(RESOURCEQUOTAS, "default", "hub")
        clock.now += 100
        await admitted(check, a_manifest(), "usual")
        allow_gpus(store, 0)
        clock.now += 100
        await check.admit(a_manifest(), "default", key="usual")
    assert len(caplog.records) == 3


async def test_an_answer_that_is_the_same_again_is_the_same_request(
    check: AdmissionCheck, clock: Clock, store: Store
) -> None:
    """By which its verdict is known, however often the API server is asked."""
    usual = {"metadata": {"name": "usual"}, "value": 7, "globalDefault": True}
    store.create(PRIORITYCLASSES, None, usual)
    request = read_request(a_manifest())
    found = []
    for _ in range(2):
        answer = await check.admit(a_manifest(), "default", key="k", request=request)
        assert isinstance(answer, Admitted)
        found.append(answer.request)
        clock.now += 100
    assert found[0] is found[1]
    assert found[0].priority == 7


def a_status(code: int, message: str) -> Refuse:
    return Refuse(code, "Forbidden", message)


USER = 'User "system:serviceaccount:hub:hub" cannot create resource "pods"'


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        pytest.param(Drop(), "ServerDisconnectedError", id="the connection is closed"),
        pytest.param(Refuse(503), "HTTP 503", id="503"),
        pytest.param(Refuse(401), "HTTP 401", id="401"),
        pytest.param(Refuse(404, "NotFound"), "HTTP 404", id="there is no such namespace yet"),
        pytest.param(Answer(b"<html>"), "HTTP 502", id="a proxy's page"),
        pytest.param(
            Answer(b"<html>", code=403), "a refusal that is not the API server's", id="its 403"
        ),
        pytest.param(Answer(b"<html>", code=201), "an answer that is not a pod", id="its 201"),
        pytest.param(
            a_status(403, f"pods is forbidden: {USER}"),
            NO_VERDICT,
            id="the hub may not create pods",
        ),
        pytest.param(
            a_status(400, 'admission webhook "w" does not support dry run'),
            NO_VERDICT,
            id="a webhook cannot be asked",
        ),
    ],
)
async def test_what_is_not_known(
    check: AdmissionCheck, faults: FaultPlan, fault: Any, why: str
) -> None:
    faults.add(fault, verb="create")
    assert await check.admit(a_manifest(), "default", key="k") == NotKnown(why)


async def test_silence_is_waited_for_once_and_then_left_alone_for_a_while(
    check: AdmissionCheck, faults: FaultPlan, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    post, posts = check._transport.post, []

    def counted(path: str, *args: Any, **options: Any) -> Any:
        posts.append(path)
        return post(path, *args, **options)

    monkeypatch.setattr(check._transport, "post", counted)
    check._timing = AdmissionTiming(answer=0.05)
    injection = faults.add(Hang(), verb="create", times=None)
    for key in "abc":
        answer = await check.admit(a_manifest(), "default", key=key)
        assert answer == NotKnown("no answer within 0.05 s")
    assert posts == [PATH]
    faults.remove(injection)
    clock.now += 5.1
    check._timing = AdmissionTiming()
    await admitted(check, a_manifest(), "b")


@pytest.mark.parametrize(
    ("header", "silent"),
    [
        pytest.param("20", 20, id="as long as it asks for"),
        pytest.param("1", 5, id="at least for a while"),
        pytest.param("100000", 60, id="but not for ever"),
        pytest.param("soon", 5, id="nonsense is not followed"),
    ],
)
async def test_retry_after(
    check: AdmissionCheck, faults: FaultPlan, clock: Clock, header: str, silent: float
) -> None:
    faults.add(Refuse(429, retry_after=header), verb="create")
    assert await check.admit(a_manifest(), "default", key="k") == NotKnown("HTTP 429")
    clock.now += silent - 0.1
    assert await check.admit(a_manifest(), "default", key="j") == NotKnown("HTTP 429")
    clock.now += 0.2
    await admitted(check, a_manifest(), "j")


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Drop(), id="whose request is dropped"),
        pytest.param(Refuse(500), id="whose webhook fails"),
        pytest.param(Refuse(404, "NotFound"), id="whose namespace is not there"),
    ],
)
async def test_a_pod_without_an_answer_does_not_keep_the_others_from_theirs(
    check: AdmissionCheck, faults: FaultPlan, clock: Clock, fault: Any
) -> None:
    faults.add(fault, verb="create")
    assert isinstance(await check.admit(a_manifest(), "default", key="a"), NotKnown)
    clock.now += 5.1
    assert isinstance(await check.admit(a_manifest(), "default", key="a"), NotKnown)
    await admitted(check, a_manifest(), "b")
    clock.now += 10
    await admitted(check, a_manifest(), "a")


async def test_only_a_server_that_fails_is_left_alone(
    check: AdmissionCheck, faults: FaultPlan
) -> None:
    for status in (401, 404, 409, 500):
        faults.add(Refuse(status), verb="create")
        answer = await check.admit(a_manifest(), "default", key=str(status))
        assert answer == NotKnown(f"HTTP {status}")
    await admitted(check, a_manifest())


async def test_an_answer_that_is_remembered_outlives_a_silence(
    check: AdmissionCheck, faults: FaultPlan
) -> None:
    await admitted(check, a_manifest(), "a")
    faults.add(Drop(), verb="create")
    assert isinstance(await check.admit(a_manifest(), "default", key="b"), NotKnown)
    await admitted(check, a_manifest(), "a")


async def test_a_body_that_breaks_off_is_not_known(
    check: AdmissionCheck, faults: FaultPlan
) -> None:
    pod = json.dumps(a_manifest()).encode()
    faults.add(Answer(pod[:40], code=201, content_type="application/json"), verb="create")
    answer = await check.admit(a_manifest(), "default", key="k")
    assert answer == NotKnown("an answer that is not a pod")


async def test_a_manifest_that_is_no_pod_is_the_callers_mistake(check: AdmissionCheck) -> None:
    with pytest.raises(MalformedObjectError):
        await check.admit({"spec": 7}, "default", key="k")
