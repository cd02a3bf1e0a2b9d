"""Disks of old kinds as the drivers that took them over have them."""

from __future__ import annotations

import pytest

from gpuspawner.capacity.model import NodeSelectorTerm, Requirement
from gpuspawner.fit.volume_migration import migrated

from ..storage_builders import ZONE, a_volume

OLD_ZONE = "failure-domain.beta.kubernetes.io/zone"
OLD_REGION, REGION = "failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"
OWN = "topology.ebs.csi.aws.com/zone"
Affinity = tuple[NodeSelectorTerm, ...] | None


def one(*labels: tuple[str, str]) -> Affinity:
    """An affinity of one term, over labels and the value each must have."""
    return (NodeSelectorTerm(tuple(Requirement(key, "In", (value,)) for key, value in labels)),)


@pytest.mark.parametrize(
    ("in_tree", "affinity", "labels", "expected"),
    [
        pytest.param("aws-ebs", one((ZONE, "a")), {}, one((OWN, "a")), id="the zone is renamed"),
        pytest.param(
            "gce-pd",
            one((ZONE, "a")),
            {},
            one(("topology.gke.io/zone", "a")),
            id="by each driver in its own way",
        ),
        pytest.param("azure-disk", one((ZONE, "a")), {}, one((ZONE, "a")), id="by some not at all"),
        pytest.param("", one((ZONE, "a")), {}, one((ZONE, "a")), id="other volumes stay"),
        pytest.param(
            "aws-ebs",
            one((OLD_ZONE, "a"), (OLD_REGION, "r")),
            {},
            one((OWN, "a"), (REGION, "r")),
            id="with the old name of the zone, that of the region is renewed",
        ),
        pytest.param(
            "aws-ebs",
            one((ZONE, "a"), (OLD_REGION, "r")),
            {},
            one((OWN, "a"), (OLD_REGION, "r")),
            id="with the new name it is not",
        ),
        pytest.param(
            "aws-ebs", None, {ZONE: "a"}, one((OWN, "a")), id="a label stands in for an affinity"
        ),
        pytest.param("aws-ebs", None, {ZONE: ""}, None, id="unless it is empty"),
        pytest.param("aws-ebs", None, {}, None, id="nothing is made of nothing"),
        pytest.param(
            "aws-ebs",
            one(("disk", "fast")),
            {OLD_ZONE: "a"},
            one(("disk", "fast"), (OWN, "a")),
            id="a label adds to an affinity that says nothing of zones",
        ),
        pytest.param(
            "aws-ebs",
            one((ZONE, "a")),
            {ZONE: "b"},
            one((OWN, "a")),
            id="an affinity with a zone goes before the label",
        ),
    ],
)
def test_what_a_driver_makes_of_a_volume(
    in_tree: str, affinity: Affinity, labels: dict[str, str], expected: Affinity
) -> None:
    plugin = f"kubernetes.io/{in_tree}" if in_tree else ""
    volume = a_volume(affinity=affinity, labels=labels, in_tree=plugin)
    assert migrated(volume).affinity == expected


def test_several_zones_of_a_label() -> None:
    volume = a_volume(labels={ZONE: "b__a__"}, in_tree="kubernetes.io/aws-ebs")
    assert migrated(volume).affinity == (NodeSelectorTerm((Requirement(OWN, "In", ("a", "b")),)),)
