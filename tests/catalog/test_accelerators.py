"""Mistakes in `accelerators`, and what their admin is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Refusal = Callable[..., None]

ACCELERATORS = [
    pytest.param(
        "x: {title: X, resource: a.b/c, sharng: mig}  # <-",
        "accelerators.x.sharng",
        "unknown field",
        "did you mean 'sharing'?",
        id="an unknown field names the one that was meant",
    ),
    pytest.param(
        "x: {title: X, resource: a.b/c, gpus: 2}  # <-",
        "accelerators.x.gpus",
        "unknown field",
        "known here: affinity, fail_requests",
        id="an unknown field that is like none lists those that there are",
    ),
    pytest.param(
        "x:  # <-\n  title: X",
        "accelerators.x.resource",
        "is required",
        None,
        id="a missing field is reported on its parent's line",
    ),
    pytest.param(
        "x: {resource: a.b/c, title: ' '}  # <-",
        "accelerators.x.title",
        "is empty",
        "write some text",
        id="a blank title is no title",
    ),
    pytest.param(
        "'a b': {title: X, resource: a.b/c}  # <-",
        'accelerators["a b"]',
        "'a b' is not a name",
        "write letters",
        id="a name with a space is refused",
    ),
    pytest.param(
        "x: {title: X, resource: cpu}  # <-",
        "accelerators.x.resource",
        "cpu is no accelerator",
        "cpu and memory",
        id="cpu is no accelerator",
    ),
    pytest.param(
        "x: {title: X, resource: memory}  # <-",
        "accelerators.x.resource",
        "memory is no accelerator",
        "cpu and memory",
        id="memory is no accelerator",
    ),
    pytest.param(
        "x: {title: X, resource: gpu}  # <-",
        "accelerators.x.resource",
        "'gpu' is not the name of an extended resource",
        "domain/name",
        id="a resource without a domain is refused",
    ),
    pytest.param(
        "x: {title: X, resource: node.kubernetes.io/gpu}  # <-",
        "accelerators.x.resource",
        "not the name of an extended resource",
        "domain/name",
        id="a resource in Kubernetes' own domain is refused",
    ),
    pytest.param(
        "x: {title: X, resource: nvidia.com/gpu 1}  # <-",
        "accelerators.x.resource",
        "not the name of an extended resource",
        "domain/name",
        id="a resource with a space is refused",
    ),
    pytest.param(
        "x: {title: X, resource: nvidia.com/mig-1g.5gb}  # <-",
        "accelerators.x.sharing",
        "nvidia.com/mig-1g.5gb is a slice of a device",
        "sharing: mig",
        id="a slice is not exclusive by default",
    ),
    pytest.param(
        "x:\n  title: X\n  resource: nvidia.com/mig-1g.5gb\n  sharing: exclusive  # <-",
        "accelerators.x.sharing",
        "nvidia.com/mig-1g.5gb is a slice of a device",
        "sharing: mig",
        id="a slice is not exclusive when it says so",
    ),
    pytest.param(
        "x: {title: X, resource: nvidia.com/gpu.shared}  # <-",
        "accelerators.x.sharing",
        "nvidia.com/gpu.shared is shared",
        "time-slicing",
        id="a resource renamed to shared is not exclusive",
    ),
    pytest.param(
        "x: {title: X, resource: a.b/c, shared_by: 4}  # <-",
        "accelerators.x.shared_by",
        "an exclusive device is shared by nobody",
        "sharing",
        id="an exclusive device is shared by nobody",
    ),
    pytest.param(
        "x: {title: X, resource: a.b/c, sharing: mps, shared_by: 0}  # <-",
        "accelerators.x.shared_by",
        "must be at least 1",
        None,
        id="shared by none is refused",
    ),
    pytest.param(
        "x: {title: X, resource: a.b/c, fail_requests_greater_than_one: true}  # <-",
        "accelerators.x.fail_requests_greater_than_one",
        "this setting is for time-slicing",
        "leave it out",
        id="a time-slicing setting on an exclusive device is refused",
    ),
    pytest.param(
        "x: {title: X, resource: a.b/c, sharing: mps, fail_requests_greater_than_one: false}  # <-",
        "accelerators.x.fail_requests_greater_than_one",
        "with MPS the device plugin refuses every request greater than one",
        "leave it out",
        id="MPS always refuses two",
    ),
    pytest.param(
        "x: {title: X, resource: a.b/c, sharing: time-slice}  # <-",
        "accelerators.x.sharing",
        "expected 'exclusive', 'mig', 'time-slicing' or 'mps', found the text 'time-slice'",
        "did you mean 'time-slicing'?",
        id="an unknown kind of sharing names the one that was meant",
    ),
    pytest.param(
        "x: {title: X, resource: a.b/c, memory: 40GB}  # <-",
        "accelerators.x.memory",
        "'40GB' is not a Kubernetes quantity",
        "'40Gi' (powers of 1024) or '40G' (of 1000)",
        id="GB is no suffix of Kubernetes",
    ),
    pytest.param(
        "x: {title: X, resource: a.b/c, runtime_class: Nvidia}  # <-",
        "accelerators.x.runtime_class",
        "'Nvidia' is not a Kubernetes name",
        None,
        id="a runtime class is a Kubernetes name",
    ),
    pytest.param(
        "x:\n  title: X\n  resource: a.b/c\n  node_selector:\n    gpu: true  # <-",
        "accelerators.x.node_selector.gpu",
        "expected text, found true, which YAML reads as a boolean",
        'quote it: "true"',
        id="a label's value true needs quotes",
    ),
    pytest.param(
        "x: {title: X, resource: a.b/c, node_selector: {a/b/c: x}}  # <-",
        'accelerators.x.node_selector["a/b/c"]',
        "'a/b/c' is not a label key",
        "domain/name",
        id="a label key has one slash at most",
    ),
    pytest.param(
        "x: {title: X, resource: a.b/c, node_selector: {a: x y}}  # <-",
        "accelerators.x.node_selector.a",
        "'x y' is not a label value",
        None,
        id="a label value has no spaces",
    ),
]


@pytest.mark.parametrize(("text", "field", "message", "hint"), ACCELERATORS)
def test_an_accelerator_is_refused(
    text: str,
    field: str,
    message: str,
    hint: str | None,
    refusal: Refusal,
) -> None:
    refusal("accelerators", text, field, message, hint)
