"""The catalog of the campus cluster is the table that its operators wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubespawner import KubeSpawner

from gpuspawner.catalog import Catalog, load_catalog, matches
from gpuspawner.quantity import parse_amount

GI = 2**30

TABLE = [
    ("cpu", None, 0, 2, 2),
    ("pytorch-1gpu", "nvidia.com/gpu", 1, 16, 64),
    ("tensorflow-1gpu", "nvidia.com/gpu", 1, 16, 64),
    ("pytorch-2gpu", "nvidia.com/gpu", 2, 32, 128),
    ("tensorflow-2gpu", "nvidia.com/gpu", 2, 32, 128),
    ("mig-1g-5gb", "nvidia.com/mig-1g.5gb", 1, 6, 24),
    ("mig-2g-10gb", "nvidia.com/mig-2g.10gb", 1, 10, 40),
]


@pytest.fixture
def catalog(example_path: Path) -> Catalog:
    return load_catalog(example_path, known_traits=frozenset(KubeSpawner.class_trait_names()))


def test_the_profiles_are_the_table_s_in_its_order(catalog: Catalog) -> None:
    rows = []
    for profile in catalog.profiles:
        accelerator = catalog.accelerators.get(profile.accelerator or "")
        assert profile.cpu.limit is not None
        assert profile.memory.limit is not None
        rows.append(
            (
                profile.slug,
                accelerator.resource if accelerator else None,
                profile.count,
                parse_amount("cpu", profile.cpu.limit) // 1000,
                parse_amount("memory", profile.memory.limit) // GI,
            )
        )
    assert rows == TABLE


def test_the_default_shares_its_cores_and_asks_for_no_device(catalog: Catalog) -> None:
    default = catalog.default_profile
    assert (default.slug, default.accelerator) == ("cpu", None)
    assert (default.cpu.guarantee, default.cpu.limit) == ("1", "2")


def test_every_accelerator_is_placed_on_the_a100_nodes(catalog: Catalog) -> None:
    for accelerator in catalog.accelerators.values():
        assert accelerator.node_selector == {"accelerator": "nvidia", "gpu-model": "a100"}
        assert accelerator.runtime_class == "nvidia"
    assert catalog.accelerators["a100"].sharing == "exclusive"
    assert catalog.accelerators["a100-1g"].memory == "5Gi"


def test_everyone_may_start_cpu_and_two_groups_everything_else(catalog: Catalog) -> None:
    everyone, members = catalog.access
    slugs = [profile.slug for profile in catalog.profiles]
    assert (everyone.users, everyone.groups, everyone.profiles) == (("*",), (), ("cpu",))
    assert (members.users, members.groups) == ((), ("jupyter_admin", "cpsHPCAccess"))
    granted = [slug for slug in slugs if any(matches(p, slug) for p in members.profiles)]
    assert granted == slugs[1:]
    assert not any(rule.deny for rule in catalog.access)


def test_the_first_line_leads_editors_to_the_schema(example_path: Path) -> None:
    first = example_path.read_text(encoding="utf-8").split("\n")[0]
    label, _, reference = first.partition("=")
    assert label == "# yaml-language-server: $schema"
    assert (example_path.parent / reference).resolve().is_file()
