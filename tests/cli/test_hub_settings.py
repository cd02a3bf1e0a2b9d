"""The base of which pods are made without a hub is what KubeSpawner itself would have."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from kubespawner import KubeSpawner
from traitlets.config.loader import PyFileConfigLoader

from gpuspawner.applied import AppliedSettings
from gpuspawner.cli.hub_settings import HubSettings
from gpuspawner.policy import Person

from ..builders import a_catalog, a_profile

CONFIGS = {
    "no configuration": "",
    "a chart's": """
c.KubeSpawner.namespace = "jhub"
c.KubeSpawner.storage_pvc_ensure = True
c.KubeSpawner.pvc_name_template = "claim-{username}"
c.KubeSpawner.storage_capacity = "10Gi"
c.KubeSpawner.volumes = [{"name": "h", "persistentVolumeClaim": {"claimName": "claim-{username}"}}]
c.KubeSpawner.node_selector = {"pool": "user"}
c.KubeSpawner.common_labels = {"app": "jupyterhub", "chart": "x"}
c.Spawner.mem_guarantee = "1G"
""",
}


@pytest.mark.parametrize("text", CONFIGS.values(), ids=CONFIGS)
async def test_it_is_kubespawners(text: str, tmp_path: Path) -> None:
    file = tmp_path / "jupyterhub_config.py"
    file.write_text(text)
    config = PyFileConfigLoader(file.name, path=str(tmp_path)).load_config()
    user = SimpleNamespace(name="ada@home", id=1, url="", escaped_name="ada%40home")
    theirs = KubeSpawner(_mock=True, user=user, config=config)
    ours = HubSettings(Person("ada@home"), file, theirs.namespace, is_default=True)
    try:
        catalog = a_catalog(a_profile())
        assert ours.applied.base(catalog) == AppliedSettings(theirs).base(catalog)
        assert ours.applied.expand("{username} {pvc_name}") == AppliedSettings(theirs).expand(
            "{username} {pvc_name}"
        )
    finally:
        await ours.aclose()


@pytest.mark.parametrize(
    ("is_default", "namespace"), [(True, "jhub"), (False, "mine")], ids=["configured", "named"]
)
async def test_a_namespace_that_is_named_goes_before_the_configured_one(
    tmp_path: Path, is_default: bool, namespace: str
) -> None:
    file = tmp_path / "jupyterhub_config.py"
    file.write_text('c.KubeSpawner.namespace = "jhub"\n')
    settings = HubSettings(Person("ada"), file, "mine", is_default=is_default)
    await settings.aclose()
    assert settings.namespace == namespace
