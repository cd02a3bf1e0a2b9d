"""What the API server makes of a pod, or that it does not say, in what people are offered."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, cast

import pytest

from gpuspawner.capacity.admission import Admission, Admitted, NotKnown, Refused
from gpuspawner.capacity.denials import Denial, ExceededQuota, Limit
from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.shared import SharedCluster
from gpuspawner.fit import judge
from gpuspawner.judging import Judge
from gpuspawner.line import Line
from gpuspawner.offers import ADMISSION, Offer, Standing, View, drafts_in
from gpuspawner.pod import HUB_LABELS, PodPlan, admission_decides
from gpuspawner.pod.plan import PROFILE_LABEL
from gpuspawner.wording import availability

from .builders import GPU, a_catalog, a_node, a_pod, a_profile, a_situation

SILENT = NotKnown("HTTP 503")
AMOUNTS = {"cpu": 1, "memory": "1Gi"}
QUANTITIES = {"limits": {"cpu": "1", "memory": "1Gi", GPU: "1"}}
NOTEBOOK = {"name": "notebook", "resources": QUANTITIES}


def a_denial(quota: str) -> Denial:
    return Denial((ExceededQuota(quota, ()),))


class ApiServer:
    """Answers dry runs, and remembers what it was asked."""

    def __init__(self, answer: Admission | None = None) -> None:
        self.answer = answer
        self.known: dict[str, Admission] = {}
        self.keys: list[str] = []
        self.view: View | None = None

    def known_admission(self, planned: PodPlan, _: str) -> Admission | None:
        return self.known.get(planned.settings["extra_labels"][PROFILE_LABEL])

    async def admit(self, planned: PodPlan, _: str) -> Admission:
        self.keys.append(planned.admission_key)
        return self.answer or Admitted(planned.request)

    async def settle(self, *_: object) -> None:
        pass

    def snapshot(self) -> Snapshot:
        assert self.view is not None
        return self.view.snapshot

    def freshness(self) -> Freshness:
        assert self.view is not None
        return self.view.freshness

    def hidden(self) -> Mapping[str, str]:
        return {}

    def assume(self, *_: object) -> None:
        pass

    def forget(self, *_: object) -> None:
        pass

    was_synced = True
    line = Line()

    verdict = staticmethod(judge)


async def offered(
    api: ApiServer, *pods: Any, person: str = "ada", starting: bool = False, **profile: Any
) -> Offer:
    catalog = a_catalog(a_profile("gpu", **profile))
    base = {HUB_LABELS: {"hub.jupyter.org/username": person}}
    situation = a_situation(catalog, a_node("n", gpus=1), *pods, base=base)
    [draft] = (draft for draft in drafts_in(situation) if draft.profile.slug == "gpu")
    judging = Judge(cast(SharedCluster, api), "jhub", logging.getLogger("test"))
    if starting:
        api.view = situation.view
        return (await judging.claim(draft, situation, "server", 0))[0]
    [offer] = await judging.offers([draft], situation)
    return offer


@pytest.mark.parametrize(
    ("profile", "standing"),
    [
        pytest.param(AMOUNTS, Standing.FREE, id="admission has nothing to add"),
        pytest.param({}, Standing.UNKNOWN, id="a LimitRange may name its amounts"),
        pytest.param(
            {**AMOUNTS, "kubespawner_override": {"priority_class_name": "low"}},
            Standing.UNKNOWN,
            id="a class decides its priority",
        ),
    ],
)
async def test_what_no_dry_run_was_answered_of_is_not_said_to_be_free(
    profile: Mapping[str, Any], standing: Standing
) -> None:
    offer = await offered(ApiServer(SILENT), **profile)
    assert (offer.standing, offer.can_start) == (standing, True)
    if standing is Standing.UNKNOWN:
        assert offer.verdict is not None
        assert (offer.verdict.fits, offer.verdict.unchecked) == (None, (ADMISSION,))
        assert ADMISSION in availability(offer)
    assert (await offered(ApiServer(), **profile)).standing is Standing.FREE


async def test_what_does_not_fit_does_not_fit_however_it_would_be_admitted() -> None:
    other = a_pod("other", node="n", gpus=1)
    assert (await offered(ApiServer(SILENT), other)).standing is Standing.BUSY


@pytest.mark.parametrize(
    ("refused", "standing"),
    [
        pytest.param(Refused(a_denial("hub")), Standing.BUSY, id="a quota"),
        pytest.param(
            Refused(Denial((Limit(True, "Pod", "cpu", "2"),))), Standing.NEVER, id="a LimitRange"
        ),
    ],
)
async def test_what_is_refused_cannot_be_started(refused: Refused, standing: Standing) -> None:
    offer = await offered(ApiServer(refused))
    assert (offer.standing, offer.can_start) == (standing, False)


@pytest.mark.parametrize(
    ("profile", "denial", "standing"),
    [
        pytest.param({**AMOUNTS, "count": 2}, "quota", Standing.NEVER, id="too large for any node"),
        pytest.param(
            {"count": 2}, "quota", Standing.BUSY, id="admission might have made it another pod"
        ),
        pytest.param(AMOUNTS, "quota", Standing.BUSY, id="large enough"),
    ],
)
async def test_a_full_quota_does_not_make_busy_what_never_fits(
    profile: Mapping[str, Any], denial: str, standing: Standing
) -> None:
    offer = await offered(ApiServer(Refused(a_denial(denial))), **profile)
    assert offer.standing is standing
    assert (offer.denial is None) == (standing is Standing.NEVER)
    assert availability(offer).startswith("never" if standing is Standing.NEVER else "busy")


async def test_only_what_is_not_known_yet_is_asked_about() -> None:
    catalog = a_catalog(
        a_profile("known"),
        a_profile("asked"),
        a_profile("faulty", volumes=["data"]),
        a_profile("also-known"),
        a_profile("also-asked"),
        volumes={"data": {"mount_path": "/data", "empty_dir": {}}},
    )
    base = {HUB_LABELS: {}, "volume_mounts": [{"name": "shared", "mountPath": "/data"}]}
    situation = a_situation(catalog, a_node("n", gpus=1), base=base)
    api = ApiServer(Refused(a_denial("asked")))
    api.known = {name: Refused(a_denial(name)) for name in ("known", "also-known")}
    judging = Judge(cast(SharedCluster, api), "jhub", logging.getLogger("test"))
    offers = await judging.offers(drafts_in(situation), situation)
    denials = {offer.profile.slug: offer.denial for offer in offers}
    assert denials == {
        "cpu": a_denial("asked"),
        "known": a_denial("known"),
        "asked": a_denial("asked"),
        "faulty": None,
        "also-known": a_denial("also-known"),
        "also-asked": a_denial("asked"),
    }
    assert len(api.keys) == 3


async def test_a_form_is_of_everybodys_dry_runs_and_a_start_of_its_own() -> None:
    api = ApiServer()
    for person in ("ada", "grace"):
        for starting in (False, True):
            await offered(api, person=person, starting=starting)
    of_ada, adas, of_grace, graces = api.keys
    assert of_ada == of_grace
    assert len({of_ada, adas, graces}) == 3


@pytest.mark.parametrize(
    ("spec", "decides"),
    [
        pytest.param({}, False, id="all amounts are named"),
        pytest.param({"runtimeClassName": "nvidia"}, True, id="a RuntimeClass"),
        pytest.param({"priorityClassName": "low"}, True, id="a PriorityClass"),
        pytest.param(
            {"initContainers": [{"name": "i", "resources": {"requests": {"cpu": "1"}}}]},
            True,
            id="an init container that does not name its memory",
        ),
        pytest.param({"containers": [NOTEBOOK, {"name": "s"}]}, True, id="a sidecar"),
    ],
)
def test_of_which_pods_admission_decides(spec: Mapping[str, Any], decides: bool) -> None:
    assert admission_decides({"spec": {"containers": [NOTEBOOK], **spec}}) is decides
