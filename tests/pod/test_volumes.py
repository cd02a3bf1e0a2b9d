"""The catalog's volumes as Kubernetes writes them."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.catalog import Volume
from gpuspawner.pod.volumes import volume_and_mount


@pytest.mark.parametrize(
    ("written", "source", "mount"),
    [
        pytest.param(
            {"ephemeral": {"size": "100Gi"}},
            {
                "ephemeral": {
                    "volumeClaimTemplate": {
                        "spec": {
                            "accessModes": ["ReadWriteOnce"],
                            "resources": {"requests": {"storage": "100Gi"}},
                        }
                    }
                }
            },
            {},
            id="ephemeral, from the default storage class",
        ),
        pytest.param(
            {
                "ephemeral": {
                    "size": "1Ti",
                    "storage_class": "fast",
                    "access_mode": "ReadWriteOncePod",
                }
            },
            {
                "ephemeral": {
                    "volumeClaimTemplate": {
                        "spec": {
                            "accessModes": ["ReadWriteOncePod"],
                            "resources": {"requests": {"storage": "1Ti"}},
                            "storageClassName": "fast",
                        }
                    }
                }
            },
            {},
            id="ephemeral, from a storage class",
        ),
        pytest.param({"empty_dir": {}}, {"emptyDir": {}}, {}, id="an empty directory"),
        pytest.param(
            {"empty_dir": {"size_limit": "5Gi"}},
            {"emptyDir": {"sizeLimit": "5Gi"}},
            {},
            id="an empty directory with a limit",
        ),
        pytest.param(
            {"shared_memory": {"size": "16Gi"}, "mount_path": "/dev/shm"},
            {"emptyDir": {"medium": "Memory", "sizeLimit": "16Gi"}},
            {},
            id="shared memory",
        ),
        pytest.param(
            {"host_path": {"path": "/mnt/x", "type": "Directory"}},
            {"hostPath": {"path": "/mnt/x", "type": "Directory"}},
            {},
            id="a directory of the node",
        ),
        pytest.param(
            {"host_path": {"path": "/mnt/x"}},
            {"hostPath": {"path": "/mnt/x", "type": ""}},
            {},
            id="a directory of the node that is not checked",
        ),
        pytest.param(
            {"nfs": {"server": "nfs", "path": "/export"}},
            {"nfs": {"server": "nfs", "path": "/export"}},
            {},
            id="an export",
        ),
        pytest.param(
            {"nfs": {"server": "nfs", "path": "/export"}, "read_only": True},
            {"nfs": {"server": "nfs", "path": "/export", "readOnly": True}},
            {"readOnly": True},
            id="an export to read is read-only at both ends",
        ),
        pytest.param(
            {"claim": {"name": "data-{username}"}},
            {"persistentVolumeClaim": {"claimName": "data-{username}"}},
            {},
            id="a claim",
        ),
        pytest.param(
            {"claim": {"name": "data"}, "read_only": True},
            {"persistentVolumeClaim": {"claimName": "data", "readOnly": True}},
            {"readOnly": True},
            id="a claim to read is read-only at both ends",
        ),
        pytest.param(
            {"host_path": {"path": "/mnt/x"}, "read_only": True, "sub_path": "{username}/a"},
            {"hostPath": {"path": "/mnt/x", "type": ""}},
            {"readOnly": True, "subPath": "{username}/a"},
            id="a part of a directory, to read",
        ),
    ],
)
def test_volumes(written: dict[str, Any], source: dict[str, Any], mount: dict[str, Any]) -> None:
    path = written.get("mount_path", "/data")
    volume = Volume.model_validate({"mount_path": "/data", **written})
    assert volume_and_mount("scratch", volume) == (
        {"name": "profile-scratch", **source},
        {"name": "profile-scratch", "mountPath": path, **mount},
    )


def test_shared_memory_has_a_place_of_its_own() -> None:
    volume = Volume.model_validate({"shared_memory": {"size": "1Gi"}})
    _, mount = volume_and_mount("shm", volume)
    assert mount == {"name": "profile-shm", "mountPath": "/dev/shm"}
