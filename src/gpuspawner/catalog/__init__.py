"""The catalog: what an admin writes about accelerators, volumes, profiles and access.

`load_catalog` and `read_catalog` give a `Catalog` that has been checked in full, or raise a
`CatalogError` with every problem, each with its file, line, field and, where there is one, the
name that was probably meant. Nothing here knows the hub, KubeSpawner or the cluster.
"""

from __future__ import annotations

from gpuspawner.catalog.accelerators import Accelerator, Sharing
from gpuspawner.catalog.access import AccessRule, matches
from gpuspawner.catalog.advice import advice_on
from gpuspawner.catalog.against_cluster import Existing, KnownNode, remarks_against
from gpuspawner.catalog.amounts import Amounts
from gpuspawner.catalog.durations import duration_seconds
from gpuspawner.catalog.loading import (
    Written,
    catalog_text,
    load_catalog,
    load_written,
    read_access,
    read_catalog,
    read_written,
)
from gpuspawner.catalog.models import Catalog
from gpuspawner.catalog.options import (
    UNLISTED,
    Chosen,
    Entry,
    OptionChoice,
    ProfileOption,
    UnlistedChoice,
    all_overrides,
    overrides_of,
)
from gpuspawner.catalog.placement import (
    FieldRequirement,
    NodeSelectorTerm,
    Requirement,
    Toleration,
)
from gpuspawner.catalog.problems import CatalogError, Finding, Problem
from gpuspawner.catalog.profiles import ImageChoice, Profile
from gpuspawner.catalog.remarks import Remark, Severity
from gpuspawner.catalog.schema import json_schema
from gpuspawner.catalog.stock import Stocked, Traits, is_dynamic, with_profile_list
from gpuspawner.catalog.texts import is_extended_resource, is_label_value
from gpuspawner.catalog.volumes import (
    NFS,
    Claim,
    EmptyDir,
    Ephemeral,
    HostPath,
    SharedMemory,
    Volume,
)
from gpuspawner.catalog.waiting import REFUSE, START_A_NODE, WAIT

__all__ = [
    "NFS",
    "REFUSE",
    "START_A_NODE",
    "UNLISTED",
    "WAIT",
    "Accelerator",
    "AccessRule",
    "Amounts",
    "Catalog",
    "CatalogError",
    "Chosen",
    "Claim",
    "EmptyDir",
    "Entry",
    "Ephemeral",
    "Existing",
    "FieldRequirement",
    "Finding",
    "HostPath",
    "ImageChoice",
    "KnownNode",
    "NodeSelectorTerm",
    "OptionChoice",
    "Problem",
    "Profile",
    "ProfileOption",
    "Remark",
    "Requirement",
    "Severity",
    "SharedMemory",
    "Sharing",
    "Stocked",
    "Toleration",
    "Traits",
    "UnlistedChoice",
    "Volume",
    "Written",
    "advice_on",
    "all_overrides",
    "catalog_text",
    "duration_seconds",
    "is_dynamic",
    "is_extended_resource",
    "is_label_value",
    "json_schema",
    "load_catalog",
    "load_written",
    "matches",
    "overrides_of",
    "read_access",
    "read_catalog",
    "read_written",
    "remarks_against",
    "with_profile_list",
]
