from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.capacity.denials import (
    ExceededQuota,
    Shortfall,
    read_denial,
    read_exceeded_quota,
)
from gpuspawner.language import speaking

GPU = "requests.nvidia.com/gpu"
FREES = "it frees up as servers in this namespace end"
WIRD_FREI = "es wird frei, sobald Server in diesem Namespace enden"


def exceeded(requested: str, used: str, limited: str, name: str = "hub") -> str:
    return (
        f'pods "jupyter-grace" is forbidden: exceeded quota: {name}, '
        f"requested: {requested}, used: {used}, limited: {limited}"
    )


def told(message: str, language: str = "en") -> tuple[str, bool]:
    denial = read_denial(message)
    assert denial is not None
    with speaking(language):
        return denial.words, denial.quota


@pytest.mark.parametrize(
    ("message", "words"),
    [
        pytest.param(
            exceeded(f"{GPU}=1", f"{GPU}=4", f"{GPU}=4"),
            "the quota 'hub' allows 4 GPUs in this namespace, 4 are used; " + FREES,
            id="devices",
        ),
        pytest.param(
            exceeded(f"{GPU}=2", f"{GPU}=1", f"{GPU}=2"),
            "the quota 'hub' allows 2 GPUs in this namespace, 1 is used and this needs 2; " + FREES,
            id="some is left, but not enough",
        ),
        pytest.param(
            exceeded("memory=4Gi", "memory=61Gi", "memory=64Gi", "team.a"),
            "the quota 'team.a' allows 64 GiB of memory in this namespace, 61 GiB are used "
            "and this needs 4 GiB; " + FREES,
            id="memory",
        ),
        pytest.param(
            exceeded("limits.cpu=2", "limits.cpu=7500m", "limits.cpu=8"),
            "the quota 'hub' allows 8 cpu in limits in this namespace, 7.5 are used "
            "and this needs 2; " + FREES,
            id="limits",
        ),
        pytest.param(
            exceeded("cpu=500m", "cpu=1", "cpu=1"),
            "the quota 'hub' allows 1 CPU core in this namespace, 1 is used; " + FREES,
            id="a core",
        ),
        pytest.param(
            exceeded(*["requests.nvidia.com/mig-1g.10gb=5"] * 3),
            "the quota 'hub' allows 5 MIG 1g.10gb slices in this namespace, 5 are used; " + FREES,
            id="slices",
        ),
        pytest.param(
            exceeded(*["requests.example.com/fpga=1"] * 3),
            "the quota 'hub' allows 1 example.com/fpga in this namespace, 1 is used; " + FREES,
            id="a device that has no plain name",
        ),
        pytest.param(
            exceeded("pods=1", "pods=30", "pods=30"),
            "the quota 'hub' allows 30 pods in this namespace, 30 are used; " + FREES,
            id="pods",
        ),
        pytest.param(
            exceeded(f"cpu=1,{GPU}=1", f"cpu=8,{GPU}=4", f"cpu=8,{GPU}=4"),
            "the quota 'hub' allows 8 CPU cores in this namespace, 8 are used; "
            "it allows 4 GPUs, 4 are used; " + FREES,
            id="two resources",
        ),
        pytest.param(
            exceeded("cpu=much", "cpu=8", "cpu=8"),
            "the quota 'hub' of this namespace is used up",
            id="an amount that cannot be read is not shown",
        ),
    ],
)
def test_a_quota_in_plain_words(message: str, words: str) -> None:
    assert told(message) == (words, True)


def test_a_quota_that_is_too_small_is_not_called_used_up() -> None:
    words = "the quota 'hub' allows 1 GPU in this namespace and this needs 2"
    message = exceeded(f"{GPU}=2", f"{GPU}=0", f"{GPU}=1")
    assert told(message) == (words, False)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        pytest.param(
            'pods "p" is forbidden: failed quota: hub: must specify cpu for: init,notebook; '
            "limits.memory for: notebook",
            "the quota 'hub' wants every pod to set cpu and limits.memory",
            id="a quota that wants amounts",
        ),
        pytest.param(
            'pods "p" is forbidden: maximum cpu usage per Container is 2, but limit is 4',
            "this namespace wants at most 2 cpu for each container",
            id="a LimitRange's maximum",
        ),
        pytest.param(
            'pods "p" is forbidden: [maximum memory usage per Pod is 1Gi, but limit is 2Gi, '
            "minimum nvidia.com/gpu usage per Container is 1.  No request is specified]",
            "this namespace wants at most 1Gi memory for each pod; "
            "this namespace wants at least 1 nvidia.com/gpu for each container",
            id="both bounds of LimitRanges",
        ),
    ],
)
def test_other_denials_by_amounts(message: str, words: str) -> None:
    assert told(message) == (words, False)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(
            'pods "p" is forbidden: status unknown for quota: hub, resources: pods',
            id="a quota that was not counted yet",
        ),
        pytest.param(
            'admission webhook "keys.example.org" does not support dry run',
            id="a webhook that cannot be asked",
        ),
        pytest.param(
            'pods is forbidden: User "system:serviceaccount:hub:hub" cannot create resource '
            '"pods" in API group "" in the namespace "hub"',
            id="the hub may not create pods",
        ),
        pytest.param(
            'admission webhook "keys.example.org" denied the request: grace owns this token',
            id="a webhook",
        ),
        pytest.param(
            'admission webhook "w" denied the request: maximum cpu usage per Pod is 2, and so on',
            id="a webhook in the words of a LimitRange",
        ),
        pytest.param(
            'pods "jupyter-ada-" is forbidden: violates PodSecurity "restricted:latest": '
            'allowPrivilegeEscalation != false (container "notebook" must set it)',
            id="a PodSecurity level, which looks at what the dry run leaves out",
        ),
        pytest.param(
            'pods "p" is forbidden: unable to validate against any security context constraint',
            id="the constraints of OpenShift",
        ),
        pytest.param("", id="no words at all"),
    ],
)
def test_what_is_not_believed_of_the_pod(message: str) -> None:
    assert read_denial(message) is None


RESOURCES = st.sampled_from([GPU, "cpu", "memory", "pods", "limits.memory", "requests.amd.com/gpu"])
AMOUNTS = st.integers(0, 10**6)


@given(
    st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,20}[a-z0-9])?", fullmatch=True),
    st.dictionaries(RESOURCES, st.tuples(AMOUNTS, AMOUNTS, AMOUNTS), min_size=1),
)
def test_every_amount_of_a_quota_is_read_back(
    name: str, amounts: dict[str, tuple[int, int, int]]
) -> None:
    def column_of(column: int) -> str:
        return ",".join(f"{resource}={amounts[resource][column]}" for resource in sorted(amounts))

    found = read_exceeded_quota(exceeded(column_of(0), column_of(1), column_of(2), name))
    expected = []
    for resource in sorted(amounts):
        factor = 1000 if resource == "cpu" else 1
        requested, used, limited = (factor * amount for amount in amounts[resource])
        expected.append(Shortfall(resource, requested, used, limited))
    assert found == ExceededQuota(name, tuple(expected))
    assert repr(name) in found.words


@given(st.text())
def test_no_text_of_others_gets_through(text: str) -> None:
    assert read_denial(f'admission webhook "w" denied the request: {text}') is None


@pytest.mark.parametrize(
    ("message", "words"),
    [
        pytest.param(
            exceeded(f"{GPU}=2", f"{GPU}=1", f"{GPU}=2"),
            "das Kontingent „hub“ erlaubt in diesem Namespace 2 GPUs, davon ist 1 "
            "belegt, und dieser Server braucht 2; " + WIRD_FREI,
            id="one is used",
        ),
        pytest.param(
            exceeded("memory=4Gi", "memory=64Gi", "memory=64Gi"),
            "das Kontingent „hub“ erlaubt in diesem Namespace 64 GiB Arbeitsspeicher, davon sind "
            "64 GiB belegt; " + WIRD_FREI,
            id="several are used",
        ),
        pytest.param(
            'pods "p" is forbidden: failed quota: hub: must specify cpu for: a; memory for: a; '
            "pods for: a",
            "das Kontingent „hub“ verlangt, dass jeder Pod cpu, memory und pods angibt",
            id="a list",
        ),
        pytest.param(
            'pods "p" is forbidden: maximum cpu usage per Container is 2, but limit is 4',
            "dieser Namespace erlaubt für jeden Container höchstens 2 cpu",
            id="a LimitRange",
        ),
    ],
)
def test_one_denial_is_told_to_each_in_their_language(message: str, words: str) -> None:
    denial = read_denial(message)
    assert denial is not None
    english = denial.words
    with speaking("de"):
        assert denial.words == words
    assert denial.words == english != words
