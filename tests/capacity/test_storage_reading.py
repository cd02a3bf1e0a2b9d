"""What is read of volumes, claims and what drivers say of themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.capacity.model import (
    CSIDriver,
    CSINode,
    NewClaim,
    NodeSelectorTerm,
    PersistentVolume,
    PersistentVolumeClaim,
    Requirement,
    StorageClass,
    VolumeAttachment,
    read_claim,
    read_csi_driver,
    read_csi_node,
    read_new_claim,
    read_request,
    read_storage_class,
    read_volume,
    read_volume_attachment,
)
from gpuspawner.errors import MalformedObjectError

GIB = 2**30
NAMED: dict[str, Any] = {"name": "x", "uid": "u"}
DELETED: dict[str, Any] = {**NAMED, "deletionTimestamp": "2026-01-01T00:00:00Z"}
DEFAULT_CLASS: dict[str, Any] = {
    **NAMED,
    "creationTimestamp": "2026-01-01T00:00:00Z",
    "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
}
OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
READERS = (
    read_claim,
    read_csi_driver,
    read_csi_node,
    read_new_claim,
    read_storage_class,
    read_volume,
    read_volume_attachment,
)


@pytest.mark.parametrize(
    ("read", "obj", "expected"),
    [
        pytest.param(
            read_volume,
            {
                "metadata": {**NAMED, "labels": {"tier": "fast"}},
                "spec": {
                    "capacity": {"storage": "10Gi"},
                    "accessModes": ["ReadWriteOnce"],
                    "storageClassName": "manual",
                    "claimRef": {"namespace": "jhub", "name": "home", "uid": "c"},
                    "csi": {"driver": "example.csi", "volumeHandle": "h"},
                    "nodeAffinity": {
                        "required": {
                            "nodeSelectorTerms": [
                                {
                                    "matchExpressions": [
                                        {"key": "zone", "operator": "In", "values": ["a"]}
                                    ]
                                }
                            ]
                        }
                    },
                },
                "status": {"phase": "Bound"},
            },
            PersistentVolume(
                "x",
                "u",
                labels={"tier": "fast"},
                affinity=(NodeSelectorTerm((Requirement("zone", "In", ("a",)),)),),
                capacity=10 * GIB,
                access_modes=("ReadWriteOnce",),
                storage_class="manual",
                claim=("jhub", "home", "c"),
                phase="Bound",
                driver="example.csi",
                handle="h",
            ),
            id="a volume of a CSI driver",
        ),
        pytest.param(
            read_volume,
            {"metadata": NAMED, "spec": {"awsElasticBlockStore": {"volumeID": "vol-1"}}},
            PersistentVolume(
                "x", "u", driver="ebs.csi.aws.com", handle="x", in_tree="kubernetes.io/aws-ebs"
            ),
            id="a disk of an old kind is attached by the driver that took it over",
        ),
        pytest.param(
            read_volume,
            {
                "metadata": DELETED,
                "spec": {"nfs": {"server": "s", "path": "/"}, "volumeMode": "Block"},
            },
            PersistentVolume("x", "u", volume_mode="Block", terminating=True, handle="x"),
            id="a volume that nobody attaches",
        ),
        pytest.param(
            read_claim,
            {
                "metadata": {
                    **NAMED,
                    "namespace": "jhub",
                    "annotations": {"pv.kubernetes.io/bind-completed": ""},
                    "ownerReferences": [{"uid": "no"}, {"uid": "pod", "controller": True}],
                },
                "spec": {
                    "volumeName": "pv",
                    "accessModes": ["ReadWriteOncePod"],
                    "resources": {"requests": {"storage": "1Gi"}},
                    "storageClassName": "fast",
                    "volumeAttributesClassName": "gold",
                    "selector": {"matchLabels": {"tier": "fast"}},
                },
                "status": {"phase": "Bound"},
            },
            PersistentVolumeClaim(
                "jhub",
                "x",
                "u",
                access_modes=("ReadWriteOncePod",),
                size=GIB,
                storage_class="fast",
                volume="pv",
                attributes_class="gold",
                selector=(Requirement("tier", "In", ("fast",)),),
                phase="Bound",
                is_bound=True,
                controller="pod",
            ),
            id="a bound claim, whatever the annotation's value",
        ),
        pytest.param(
            read_claim,
            {
                "metadata": {
                    **NAMED,
                    "annotations": {
                        OLD_CLASS: "old",
                        "volume.kubernetes.io/selected-node": "n1",
                    },
                },
                "spec": {"volumeName": "", "storageClassName": "new"},
            },
            PersistentVolumeClaim("", "x", "u", storage_class="old", selected_node="n1"),
            id="an annotation of old names the class",
        ),
        pytest.param(
            read_storage_class,
            {
                "metadata": DEFAULT_CLASS,
                "provisioner": "example.csi",
                "volumeBindingMode": "WaitForFirstConsumer",
                "allowedTopologies": [
                    {"matchLabelExpressions": [{"key": "zone", "values": ["a", "b"]}]}
                ],
            },
            StorageClass(
                "x",
                "u",
                provisioner="example.csi",
                waits=True,
                topologies=((Requirement("zone", "In", ("a", "b")),),),
                is_default=True,
                created="2026-01-01T00:00:00Z",
            ),
            id="a class",
        ),
        pytest.param(
            read_storage_class,
            {
                "metadata": {
                    **NAMED,
                    "annotations": {"storageclass.kubernetes.io/is-default-class": "false"},
                },
                "volumeBindingMode": "Immediate",
            },
            StorageClass("x", "u"),
            id="a class that does not wait and is not the default",
        ),
        pytest.param(
            read_csi_node,
            {
                "metadata": {
                    **NAMED,
                    "annotations": {"storage.alpha.kubernetes.io/migrated-plugins": "a,b"},
                },
                "spec": {
                    "drivers": [
                        {"name": "one", "allocatable": {"count": 25}, "topologyKeys": ["zone"]},
                        {"name": "two", "allocatable": {}, "topologyKeys": None},
                    ]
                },
            },
            CSINode(
                "x",
                "u",
                limits={"one": 25},
                topology_keys={"one": ("zone",), "two": ()},
                migrated=frozenset({"a", "b"}),
            ),
            id="a node's drivers",
        ),
        pytest.param(
            read_csi_node,
            {"metadata": NAMED, "spec": {"drivers": None}},
            CSINode("x", "u", limits={}, topology_keys={}),
            id="a node without drivers",
        ),
        pytest.param(
            read_csi_driver,
            {"metadata": NAMED, "spec": {"storageCapacity": True}},
            CSIDriver("x", "u", tracks_capacity=True),
            id="a driver",
        ),
        pytest.param(
            read_volume_attachment,
            {
                "metadata": NAMED,
                "spec": {
                    "attacher": "example.csi",
                    "nodeName": "n1",
                    "source": {"persistentVolumeName": "pv"},
                },
            },
            VolumeAttachment("x", "u", node="n1", driver="example.csi", volume="pv"),
            id="an attachment",
        ),
    ],
)
def test_what_is_read(read: Callable[[Any], object], obj: dict[str, Any], expected: object) -> None:
    assert read(obj) == expected
    assert read(json.dumps(obj).encode()) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, ("", True), id="no class: the default one"),
        pytest.param({"storageClassName": ""}, ("", False), id="the empty class"),
        pytest.param({"storageClassName": "fast"}, ("fast", False), id="a class"),
    ],
)
def test_the_class_of_a_claim_that_is_yet_to_be_made(
    spec: dict[str, Any], expected: tuple[str, bool]
) -> None:
    new = read_new_claim({"metadata": {"name": "home"}, "spec": spec})
    assert (new.claim.storage_class, new.uses_default_class) == expected
    assert not new.is_ephemeral


def test_the_claims_of_ephemeral_volumes_are_made_with_the_pod() -> None:
    template = {"spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}}}
    volumes = [
        {"name": "home", "persistentVolumeClaim": {"claimName": "home"}},
        {"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}},
    ]
    request = read_request({"metadata": {"name": "ada"}, "spec": {"volumes": volumes}})
    assert request.claims == ("home", "ada-scratch")
    claim = PersistentVolumeClaim(
        "", "ada-scratch", "", size=GIB, storage_class="fast", phase="Pending"
    )
    assert request.claims_to_make == (NewClaim(claim, is_ephemeral=True),)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "obj",
    [
        pytest.param({"metadata": {}}, id="no name"),
        pytest.param({"metadata": {"name": "x", "annotations": {OLD_CLASS: 1}}}, id="annotations"),
        pytest.param({"metadata": {"name": "x"}, "spec": 1, "provisioner": 1}, id="contents"),
        pytest.param([], id="not an object"),
    ],
)
def test_what_is_malformed_says_so(read: Callable[[Any], object], obj: Any) -> None:
    with pytest.raises(MalformedObjectError):
        read(obj)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["metadata", "name", "spec", "status", "capacity", "storage", "drivers"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("read", READERS)
@given(obj=ANYTHING)
def test_nothing_else_is_ever_raised(read: Callable[[Any], object], obj: Any) -> None:
    with suppress(MalformedObjectError):
        read(json.dumps(obj).encode())
