"""What somebody could start in a cluster that was written down.

No admission can be asked there. What RuntimeClasses and PriorityClasses make of a pod is done as
they are recorded; where a LimitRange could decide, the answer is unknown. Webhooks are not known.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from gpuspawner.capacity.dry_run import Change, read_change
from gpuspawner.capacity.freshness import Freshness
from gpuspawner.offers import Offer, Situation, Standing, View, judged
from gpuspawner.pod import PodPlan, admission_decides
from gpuspawner.recording import Classes, Recorded

_NOT_RECORDED = "the recording does not say what {} there are"
_LIMIT_RANGE = "a LimitRange may fill in the amounts of CPU or memory that are left out"
_Pod = dict[str, Any]


def view_of(recorded: Recorded) -> View:
    """The recorded cluster, taken for the present one."""
    return View(recorded.snapshot, Freshness("live", age=0.0), recorded.verdict)


def replayed(drafts: Iterable[Offer], situation: Situation, recorded: Recorded) -> list[Offer]:
    """What the drafts come to, in their order."""
    return [judged(_admitted(draft, recorded.classes), situation) for draft in drafts]


@dataclass(frozen=True, slots=True)
class _Applied:
    """What came of applying a class to a pod.

    Attributes:
        fault: why the pod would be refused; else empty.
        unknown: why that cannot be told; else empty.
    """

    fault: str = ""
    unknown: str = ""


def _admitted(draft: Offer, classes: Classes) -> Offer:
    if draft.plan is None:
        return draft
    pod: _Pod = copy.deepcopy(dict(draft.plan.manifest))
    spec = pod["spec"]
    for apply in (_apply_runtime_class, _apply_priority_class):
        found = apply(spec, classes)
        if found.fault:
            return replace(draft, standing=Standing.NEVER, fault=found.fault, plan=None)
        if found.unknown:
            return replace(draft, unadmitted=found.unknown)
    draft = replace(draft, plan=_changed(draft.plan, pod))
    named = ("runtimeClassName", "priorityClassName")
    rest = {key: value for key, value in spec.items() if key not in named}
    return replace(draft, unadmitted=_LIMIT_RANGE) if admission_decides({"spec": rest}) else draft


def _changed(planned: PodPlan, pod: _Pod) -> PodPlan:
    change = read_change(planned.manifest, json.dumps(pod).encode())
    if not isinstance(change, Change):
        return planned
    return replace(planned, request=change.of(planned.request).request)


def _apply_runtime_class(spec: _Pod, classes: Classes) -> _Applied:
    """Make the pod what its RuntimeClass makes of it."""
    name = spec.get("runtimeClassName")
    if not name:
        return _Applied()
    if classes.runtime is None:
        return _Applied(unknown=_NOT_RECORDED.format("RuntimeClasses"))
    found = classes.runtime.get(name)
    if found is None:
        return _Applied(fault=f"there is no RuntimeClass {name}")
    labels = spec.get("nodeSelector") or {}
    for key, value in found.node_selector.items():
        if labels.get(key, value) != value:
            return _Applied(fault=f"the RuntimeClass {name} wants other nodes than the profile")
    spec["nodeSelector"] = {**labels, **found.node_selector}
    spec["tolerations"] = [*(spec.get("tolerations") or ()), *found.tolerations]
    if found.overhead:
        spec["overhead"] = dict(found.overhead)
    return _Applied()


def _apply_priority_class(spec: _Pod, classes: Classes) -> _Applied:
    """The same for its PriorityClass, or the one that is for all that name none."""
    name = spec.get("priorityClassName")
    if classes.priority is None:
        return _Applied(unknown=_NOT_RECORDED.format("PriorityClasses") if name else "")
    default = next((one for one in classes.priority.values() if one.is_default), None)
    found = classes.priority.get(name) if name else default
    if found is not None:
        spec["priority"] = found.value
        if found.preemption_policy:
            spec["preemptionPolicy"] = found.preemption_policy
        return _Applied()
    return _Applied(fault=f"there is no PriorityClass {name}" if name else "")
