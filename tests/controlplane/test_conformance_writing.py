"""Writes and their refusals: of the real API server and of simcluster alike."""

from __future__ import annotations

import pytest
from tests.controlplane.kube import MERGE, Object, until
from tests.controlplane.servers import Server
from tests.controlplane.test_conformance_reading import a_pod

NOWHERE = "no-such-node"


async def gone(server: Server, name: str) -> bool:
    return (await server.api.ask("GET", f"{server.pods}/{name}")).code == 404


def bound(name: str) -> Object:
    """A pod on a node that has no kubelet, nor anything else."""
    pod = a_pod(name)
    pod["spec"]["nodeName"] = NOWHERE
    return pod


@pytest.mark.parametrize(
    ("asked", "code", "told"),
    [
        pytest.param(
            ("GET", "/q", None),
            404,
            ("NotFound", {"name": "q", "kind": "pods"}, 'pods "q" not found'),
            id="an object that is not there",
        ),
        pytest.param(
            ("DELETE", "/q", None),
            404,
            ("NotFound", {"name": "q", "kind": "pods"}, 'pods "q" not found'),
            id="deleting an object that is not there",
        ),
        pytest.param(
            ("POST", "", a_pod("p")),
            409,
            ("AlreadyExists", {"name": "p", "kind": "pods"}, 'pods "p" already exists'),
            id="a name that is taken",
        ),
    ],
)
async def test_a_refusal_says_what_and_why(
    server: Server, asked: tuple[str, str, Object | None], code: int, told: tuple[str, Object, str]
) -> None:
    await server.api.create(server.pods, a_pod("p"))
    method, name, body = asked
    answer = await server.api.ask(method, server.pods + name, body)
    reason, details, message = told
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    assert answer.code == code
    assert answer.body == status | {
        "message": message,
        "reason": reason,
        "details": details,
        "code": code,
    }


@pytest.mark.parametrize(
    ("pod", "field"),
    [
        pytest.param(a_pod("Not_DNS"), "metadata.name", id="a name that is not DNS"),
        pytest.param(a_pod("p", app="a b"), "metadata.labels", id="a label's value"),
        pytest.param({"metadata": {"name": "p"}, "spec": {}}, "spec.containers", id="no container"),
    ],
)
async def test_what_is_invalid_is_422_with_its_causes(
    server: Server, pod: Object, field: str
) -> None:
    answer = await server.api.ask("POST", server.pods, pod)
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    details, name = answer.body["details"], pod["metadata"]["name"]
    assert (details["kind"], details["name"]) == ("Pod", name)
    assert field in [cause["field"] for cause in details["causes"]]
    assert answer.message.startswith(f'Pod "{name}" is invalid: ')


async def test_status_and_spec_are_written_apart(server: Server) -> None:
    made = await server.api.create(server.pods, a_pod("p"))
    path = f"{server.pods}/p"
    await server.api.patch(
        path, {"metadata": {"labels": {"a": "b"}}, "status": {"phase": "Failed"}}
    )
    patch = {"status": {"phase": "Running"}, "spec": {"schedulerName": "other"}}
    written = await server.api.patch(f"{path}/status", patch)
    assert (written["status"]["phase"], written["metadata"]["labels"]) == ("Running", {"a": "b"})
    assert written["spec"]["schedulerName"] == made["spec"]["schedulerName"]
    assert written["metadata"]["uid"] == made["metadata"]["uid"]


async def test_a_pods_spec_is_fixed(server: Server) -> None:
    await server.api.create(server.pods, a_pod("p"))
    patch = {"spec": {"nodeSelector": {"a": "b"}}}
    answer = await server.api.ask("PATCH", f"{server.pods}/p", patch, content_type=MERGE)
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")


async def test_a_pod_is_bound_once(server: Server) -> None:
    await server.api.create(server.pods, a_pod("p"))
    binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": NOWHERE}}
    answer = await server.api.ask("POST", f"{server.pods}/p/binding", binding)
    assert (answer.code, answer.body["status"]) == (201, "Success")
    pod = await server.api.get(f"{server.pods}/p")
    assert pod["spec"]["nodeName"] == NOWHERE
    conditions = [(one["type"], one["status"]) for one in pod["status"]["conditions"]]
    assert conditions == [("PodScheduled", "True")]
    again = await server.api.ask("POST", f"{server.pods}/p/binding", binding)
    assert (again.code, again.body["reason"]) == (409, "Conflict")
    assert f'pod p is already assigned to node "{NOWHERE}"' in again.message


async def test_an_unbound_pod_goes_at_once(server: Server) -> None:
    await server.api.create(server.pods, a_pod("p"))
    answer = await server.api.delete(f"{server.pods}/p")
    assert (answer.code, answer.body["metadata"]["name"]) == (200, "p")
    assert await gone(server, "p")


async def test_a_bound_pod_waits_for_its_kubelet(server: Server) -> None:
    await server.api.create(server.pods, bound("p"))
    await server.api.delete(f"{server.pods}/p", gracePeriodSeconds="50")
    metadata = (await server.api.get(f"{server.pods}/p"))["metadata"]
    assert metadata["deletionGracePeriodSeconds"] == 50
    assert metadata["deletionTimestamp"]
    await server.api.delete(f"{server.pods}/p", gracePeriodSeconds="0")
    assert await gone(server, "p")


async def test_a_bound_pod_that_has_ended_goes_at_once(server: Server) -> None:
    await server.api.create(server.pods, bound("p"))
    await server.api.patch(f"{server.pods}/p/status", {"status": {"phase": "Succeeded"}})
    await server.api.delete(f"{server.pods}/p")
    assert await gone(server, "p")


@pytest.mark.parametrize(
    "preconditions",
    [
        pytest.param({"uid": "00000000-0000-0000-0000-000000000000"}, id="another uid"),
        pytest.param({"resourceVersion": "1"}, id="an older version"),
    ],
)
async def test_a_delete_of_another_object_is_a_conflict(
    server: Server, preconditions: dict[str, str]
) -> None:
    made = await server.api.create(server.pods, a_pod("p"))
    path, kind = f"{server.pods}/p", {"kind": "DeleteOptions", "apiVersion": "v1"}
    answer = await server.api.ask("DELETE", path, kind | {"preconditions": preconditions})
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")
    meant = {"preconditions": {"uid": made["metadata"]["uid"]}}
    assert (await server.api.ask("DELETE", path, kind | meant)).code == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_write_that_another_overtook_is_a_conflict(server: Server, method: str) -> None:
    made = await server.api.create(server.pods, a_pod("p"))
    await server.api.patch(f"{server.pods}/p", {"metadata": {"labels": {"a": "b"}}})
    late: Object = made
    if method == "PATCH":
        late = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}}
    content_type = MERGE if method == "PATCH" else "application/json"
    answer = await server.api.ask(method, f"{server.pods}/p", late, content_type=content_type)
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")
    assert answer.message == (
        'Operation cannot be fulfilled on pods "p": the object has been modified; please apply '
        "your changes to the latest version and try again"
    )


async def test_a_dry_run_gives_the_pod_as_admitted_and_keeps_nothing(server: Server) -> None:
    limits = {"nvidia.com/gpu": "1", "memory": "1Gi"}
    pod = a_pod("p")
    pod["spec"]["containers"][0]["resources"] = {"limits": limits, "requests": {"cpu": "1"}}
    del pod["spec"]["schedulerName"]
    answer = await server.api.ask("POST", server.pods, pod, dryRun="All")
    spec = answer.body["spec"]
    assert answer.code == 201
    assert answer.body["metadata"]["uid"]
    assert answer.body["status"]["phase"] == "Pending"
    assert spec["containers"][0]["resources"]["requests"] == limits | {"cpu": "1"}
    given = [spec[key] for key in ("schedulerName", "priority", "preemptionPolicy")]
    assert given == ["default-scheduler", 0, "PreemptLowerPriority"]
    tolerated = {toleration["key"]: toleration["effect"] for toleration in spec["tolerations"]}
    assert tolerated["node.kubernetes.io/not-ready"] == "NoExecute"
    assert tolerated["node.kubernetes.io/unreachable"] == "NoExecute"
    assert await gone(server, "p")


async def test_a_dry_run_of_a_delete_keeps_the_pod(server: Server) -> None:
    await server.api.create(server.pods, a_pod("p"))
    assert (await server.api.delete(f"{server.pods}/p", dryRun="All")).code == 200
    assert "deletionTimestamp" not in (await server.api.get(f"{server.pods}/p"))["metadata"]


async def test_a_dry_run_applies_limit_range_and_runtime_class(server: Server) -> None:
    limit = {"type": "Container", "default": {"memory": "2Gi"}, "defaultRequest": {"cpu": "300m"}}
    path = f"/api/v1/namespaces/{server.namespace}/limitranges"
    await server.api.create(path, {"metadata": {"name": "l"}, "spec": {"limits": [limit]}})
    runtime = await server.api.create_for_now(
        "/apis/node.k8s.io/v1/runtimeclasses",
        {
            "metadata": {"name": f"{server.namespace}-runtime"},
            "handler": "nvidia",
            "overhead": {"podFixed": {"memory": "64Mi"}},
            "scheduling": {"nodeSelector": {"runtime": "nvidia"}},
        },
    )
    pod = a_pod("p")
    pod["spec"]["runtimeClassName"] = runtime["metadata"]["name"]

    async def admitted() -> Object | None:
        # The admission plugins hear of the two by watches of their own.
        answer = await server.api.ask("POST", server.pods, pod, dryRun="All")
        spec = answer.body.get("spec", {})
        is_known = "overhead" in spec and spec["containers"][0]["resources"]
        return spec if is_known else None

    spec = await until(admitted)
    assert spec["overhead"] == {"memory": "64Mi"}
    assert spec["nodeSelector"] == {"runtime": "nvidia"}
    assert spec["containers"][0]["resources"] == {
        "limits": {"memory": "2Gi"},
        "requests": {"cpu": "300m", "memory": "2Gi"},
    }


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        pytest.param(
            {"runtimeClassName": "absent"},
            'pod rejected: RuntimeClass "absent" not found',
            id="a RuntimeClass that is not there",
        ),
        pytest.param(
            {"priorityClassName": "absent"},
            "no PriorityClass with name absent was found",
            id="a PriorityClass that is not there",
        ),
    ],
)
async def test_admission_refuses_what_it_does_not_know(
    server: Server, spec: Object, words: str
) -> None:
    pod = a_pod("p")
    pod["spec"] |= spec
    answer = await server.api.ask("POST", server.pods, pod)
    assert (answer.code, answer.body["reason"]) == (403, "Forbidden")
    assert answer.message == f'pods "p" is forbidden: {words}'


@pytest.mark.parametrize(
    ("label", "value", "words"),
    [
        ("enforce", "strict", "must be one of privileged, baseline, restricted"),
        ("warn", "", "must be one of privileged, baseline, restricted"),
        ("audit-version", "1.30", 'must be "latest" or "v1.x"'),
    ],
)
async def test_a_namespace_cannot_ask_for_pod_security_that_there_is_not(
    server: Server, label: str, value: str, words: str
) -> None:
    field, name = f"pod-security.kubernetes.io/{label}", server.namespace
    patch = {"metadata": {"labels": {field: value}}}
    path = f"/api/v1/namespaces/{name}"
    answer = await server.api.ask("PATCH", path, patch, content_type=MERGE)
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    where, what = f"metadata.labels[{field}]", f'Invalid value: "{value}": {words}'
    assert answer.message == f'Namespace "{name}" is invalid: {where}: {what}'
    [cause] = answer.body["details"]["causes"]
    assert cause == {"reason": "FieldValueInvalid", "field": where, "message": what}
