"""Nodes that a pod has to keep off, whatever else it asks for.

Only the name of a node tells it from all others, and a pod can ask for names it is not to be on by
the fields of its required node affinity alone: one name in each ``NotIn`` (the API server's rule).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from gpuspawner.capacity.model import NodeSelectorTerm, PodRequest, Requirement
from gpuspawner.pod.merging import both_terms, camel_keys, copied, items_of
from gpuspawner.pod.plan import PodPlan, Settings

_NAME = "metadata.name"
_OPERATOR = "NotIn"
_SETTING = "node_affinity_required"
_CONFIG = "extra_pod_config"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def keeping_off(request: PodRequest, nodes: Collection[str]) -> PodRequest:
    """The pod, kept off some nodes; the same object if there are none."""
    if not nodes:
        return request
    fields = tuple(Requirement(_NAME, _OPERATOR, (node,)) for node in sorted(nodes))
    terms = (NodeSelectorTerm(),) if request.affinity is None else request.affinity
    # A term without any expression matches nothing, and must not come to match by this.
    affinity = tuple(
        replace(term, fields=(*term.fields, *fields))
        if request.affinity is None or term.labels or term.fields
        else term
        for term in terms
    )
    return replace(request, affinity=affinity)


def avoiding(planned: PodPlan, nodes: Collection[str]) -> PodPlan:
    """The plan of a pod that is kept off some nodes; the same object if there are none."""
    if not nodes:
        return planned
    term = {
        "matchFields": [
            {"key": _NAME, "operator": _OPERATOR, "values": [node]} for node in sorted(nodes)
        ]
    }
    settings: dict[str, Any] = copied(planned.settings)
    if "affinity" in (settings.get(_CONFIG) or {}):
        settings[_CONFIG] = _in_config(settings[_CONFIG], term)
    else:
        settings[_SETTING] = _in_each(settings.get(_SETTING), term)
    return replace(planned, settings=settings, request=keeping_off(planned.request, nodes))


def _in_each(terms: Any, term: Mapping[str, Any]) -> list[dict[str, Any]]:
    known = [camel_keys(one) for one in items_of(terms)]
    return [both_terms(one, term) for one in known] if known else [dict(term)]


def _in_config(config: Settings, term: Mapping[str, Any]) -> dict[str, Any]:
    """KubeSpawner puts what is here in place of all that it would write of an affinity itself."""
    affinity = config["affinity"] or {}
    of_nodes = affinity.get("nodeAffinity") or {}
    required = of_nodes.get(_REQUIRED) or {}
    terms = _in_each(required.get("nodeSelectorTerms"), term)
    changed = {**of_nodes, _REQUIRED: {**required, "nodeSelectorTerms": terms}}
    return {**config, "affinity": {**affinity, "nodeAffinity": changed}}
