"""What programs are told of pools and of DRA devices is as `docs/openapi.yaml` says."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator
from tests.devices import a_slice, devices

from gpuspawner.cluster import Cluster, ClusterWait

from . import test_claimable as claimable
from . import test_grouping as grouping
from . import test_pools as pools
from . import test_quotas as quotas

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.yaml"


@pytest.mark.parametrize(
    "cluster",
    [
        pytest.param(pools.said(), id="a pool without nodes"),
        pytest.param(pools.said(freshness=pools.STALE, most_nodes=None), id="a pool not known"),
        pytest.param(pools.said(ours=pools.PROMISED), id="a pool of which a node is awaited"),
        pytest.param(
            grouping.said(ours={"p": grouping.holder(in_line=ClusterWait("", None))}), id="a line"
        ),
        pytest.param(quotas.said(quotas.a_quota()), id="a quota"),
        pytest.param(quotas.said(quotas.a_quota(used={})), id="a quota not counted yet"),
        pytest.param(claimable.said(claimable.FOUR), id="devices of a node"),
        pytest.param(
            claimable.said(a_slice(*devices(4), slices=2), claims=claimable.STALE), id="not counted"
        ),
        pytest.param(claimable.said(a_slice(*devices(2), allNodes=True, pool="net")), id="shared"),
    ],
)
def test_it_is_as_described(cluster: Cluster) -> None:
    components = yaml.safe_load(DOCUMENT.read_text())["components"]
    schema = {"$ref": "#/components/schemas/Cluster", "components": components}
    Draft202012Validator(schema).validate(msgspec.json.decode(msgspec.json.encode(cluster)))
