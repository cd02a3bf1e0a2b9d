"""Whether the home directory outlives the pod."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.pod import keeps_home

CLAIM = {"name": "home", "persistentVolumeClaim": {"claimName": "claim-{username}"}}
NFS = {"name": "home", "nfs": {"server": "s", "path": "/e"}}
SCRATCH = {"name": "home", "emptyDir": {}}
MOUNT = {"name": "home", "mountPath": "/home/jovyan"}


@pytest.mark.parametrize(
    ("volumes", "mounts", "is_kept"),
    [
        pytest.param([CLAIM], [MOUNT], True, id="a claim"),
        pytest.param([NFS], [MOUNT], True, id="an export"),
        pytest.param({"0": CLAIM}, {"0": MOUNT}, True, id="written as a mapping"),
        pytest.param(
            [{"name": "home", "persistent_volume_claim": {"claim_name": "a"}}],
            [{"name": "home", "mount_path": "/home/jovyan/"}],
            True,
            id="written as in Python",
        ),
        pytest.param([CLAIM], [{**MOUNT, "mountPath": "/home"}], True, id="all homes"),
        pytest.param([CLAIM], [{**MOUNT, "mountPath": "/home/jovyan/data"}], False, id="a part"),
        pytest.param([CLAIM], [{**MOUNT, "mountPath": "/home/shared"}], False, id="another's"),
        pytest.param([CLAIM], [{**MOUNT, "readOnly": True}], False, id="it is read-only"),
        pytest.param([CLAIM], [], False, id="it is not mounted"),
        pytest.param([SCRATCH], [MOUNT], False, id="it goes with the pod"),
        pytest.param([CLAIM], [{**MOUNT, "name": "other"}], False, id="another volume is there"),
        pytest.param(None, None, False, id="there are no volumes"),
    ],
)
def test_it_is_kept_where_that_is_certain(volumes: Any, mounts: Any, *, is_kept: bool) -> None:
    assert keeps_home({"volumes": volumes, "volume_mounts": mounts}) is is_kept
