"""What is shipped for the chart: its schema, real settings, valid catalogs, images to pull."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from jupyterhub.app import JupyterHub
from jupyterhub.auth import Authenticator
from jupyterhub.scopes import scope_definitions
from kubespawner import KubeSpawner
from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.oauth2 import OAuthenticator
from traitlets.config import Config, Configurable
from traitlets.config.loader import DeferredConfig, LazyConfigValue
from traitlets.traitlets import TraitError

import gpuspawner
from gpuspawner.catalog import Catalog, load_catalog, read_catalog
from gpuspawner.rights import cluster_rules, purposes_of

from .chart import (
    BASE,
    CATALOG_FILE,
    CHART_VERSION,
    CLUSTERS,
    HELM_VALUES,
    embedded_catalog,
    jupyterhub_config,
    merged,
    schema,
    values_of,
)
from .embedding import as_value, embed, example_of, images_of

CLASSES: dict[str, type[Configurable]] = {
    "JupyterHub": JupyterHub,
    "KubeSpawner": KubeSpawner,
    "GPUSpawner": gpuspawner.GPUSpawner,
    "Authenticator": Authenticator,
    "OAuthenticator": OAuthenticator,
    "GenericOAuthenticator": GenericOAuthenticator,
}
KNOWN_TRAITS = KubeSpawner.class_trait_names(config=True)
SECRET = re.compile(r"(password|secret|[tT]oken|client_id|^keys)$")
PASSWORD_IN_URL = re.compile(r"://[^/@]*:[^/@]+@")

clusters = pytest.mark.parametrize("cluster", CLUSTERS)


def schema_errors(values: Mapping[str, Any]) -> list[str]:
    validator = jsonschema.Draft7Validator(schema())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(values)]


def setting_errors(config: Config) -> Iterator[str]:
    """What is no setting of the class it is written for, or no value of that setting."""
    for section, settings in config.items():
        if section not in CLASSES:
            yield f"{section}: nothing that the hub loads"
            continue
        traits = CLASSES[section].class_traits(config=True)
        for name, value in settings.items():
            if name not in traits:
                yield f"{section}.{name}: no such setting"
            elif not isinstance(value, LazyConfigValue | DeferredConfig):
                yield from _value_errors(section, name, value)


def _value_errors(section: str, name: str, value: Any) -> Iterator[str]:
    # An instance of its own for each, as classes look at their settings when they are made.
    one = Configurable.__new__(CLASSES[section])
    try:
        CLASSES[section].class_traits()[name]._validate(one, value)
    except TraitError as error:
        yield f"{section}.{name}: {error}"


def catalog_of(cluster: str) -> Catalog:
    return read_catalog(embedded_catalog(values_of(cluster)), known_traits=KNOWN_TRAITS)


@pytest.fixture
def catalog_file(tmp_path: Path, cluster: str) -> Path:
    path = tmp_path / "catalog.yaml"
    path.write_text(embedded_catalog(values_of(cluster)))
    return path


def test_there_is_an_overlay_for_each_example() -> None:
    others = {"base", "clusterrole", "prometheus-rules"}
    written = {path.stem for path in HELM_VALUES.glob("*.yaml")} - others
    examples = {
        path.parent.name for path in (HELM_VALUES.parent / "examples").glob("*/catalog.yaml")
    }
    assert written == set(CLUSTERS) == examples


@clusters
def test_the_charts_schema_accepts_base_and_overlay(cluster: str) -> None:
    assert schema_errors(values_of(cluster)) == []


@pytest.mark.parametrize(
    "typo",
    [
        pytest.param({"hub": {"extraConfigs": {}}}, id="a key that the chart does not have"),
        pytest.param({"prePuller": {"continous": {}}}, id="a key with a letter missing"),
        pytest.param(
            {"scheduling": {"userScheduler": {"enabled": "yes"}}}, id="text for a boolean"
        ),
        pytest.param({"hub": {"db": {"type": "postgresql"}}}, id="a database that is not known"),
        pytest.param({"hub": {"config": {"kubeSpawner": {}}}}, id="a class in lower case"),
        pytest.param(
            {"hub": {"extraFiles": {CATALOG_FILE: {"mountPath": None}}}},
            id="a file without a place",
        ),
        pytest.param(
            {"prePuller": {"extraImages": {"a": {"name": "b"}}}}, id="an image without a tag"
        ),
    ],
)
def test_the_charts_schema_refuses(typo: dict[str, Any]) -> None:
    assert schema_errors(merged(values_of(CLUSTERS[0]), typo)) != []


@clusters
def test_every_setting_is_real_and_has_a_valid_value(cluster: str, catalog_file: Path) -> None:
    config = jupyterhub_config(values_of(cluster), catalog_file)
    assert list(setting_errors(config)) == []


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        pytest.param("GPUSpawner", "most_wating", 3, id="a setting with a letter missing"),
        pytest.param("GPUSpawner", "access_mode", "pages", id="a mode that is not known"),
        pytest.param("GenericOAuthenticator", "allow_all", "yes", id="text for a boolean"),
        pytest.param("GenericOAuthenticator", "claim_group", "groups", id="no such setting"),
        pytest.param("KubeSpawner", "pod_security_context", [], id="a list for a mapping"),
        pytest.param("Kubespawner", "uid", 1000, id="a class that is not there"),
    ],
)
def test_settings_that_are_refused(section: str, name: str, value: Any) -> None:
    assert list(setting_errors(Config({section: {name: value}})))


@clusters
def test_the_hub_runs_our_spawner_with_this_catalog(cluster: str, catalog_file: Path) -> None:
    config = jupyterhub_config(values_of(cluster), catalog_file)
    assert config.JupyterHub.spawner_class == "gpuspawner.GPUSpawner"
    assert config.GPUSpawner.catalog_file == str(catalog_file)


@clusters
def test_the_embedded_catalog_is_the_examples(cluster: str) -> None:
    embedded = yaml.safe_load(embedded_catalog(values_of(cluster)))
    assert embedded == yaml.safe_load(example_of(cluster).read_text())
    assert catalog_of(cluster) == load_catalog(example_of(cluster))


@clusters
def test_what_is_embedded_is_as_the_script_writes_it(cluster: str) -> None:
    # To write it anew: python -m tests.helm.embedding
    overlay = (HELM_VALUES / f"{cluster}.yaml").read_text()
    assert embed(overlay) == overlay


@clusters
def test_the_puller_pulls_the_catalogs_images_and_no_others(cluster: str) -> None:
    values = values_of(cluster)
    pulled = [values["singleuser"]["image"], *values["prePuller"]["extraImages"].values()]
    wanted = [as_value(image) for image in images_of(catalog_of(cluster))]
    assert sorted(map(json.dumps, pulled)) == sorted(map(json.dumps, wanted))


@clusters
def test_the_puller_comes_where_a_profile_may_go(cluster: str) -> None:
    tolerated = values_of(cluster)["prePuller"].get("extraTolerations", [])
    accelerators = catalog_of(cluster).accelerators.values()
    needed = [
        each.model_dump(exclude_none=True, exclude_unset=True)
        for accelerator in accelerators
        for each in accelerator.tolerations
    ]
    assert [each for each in needed if each not in tolerated] == []


@clusters
def test_the_cluster_role_is_enough(cluster: str) -> None:
    # It is that of every purpose (tests/test_helm_values.py), also those a catalog does without.
    role, _ = yaml.safe_load_all((HELM_VALUES / "clusterrole.yaml").read_text())
    granted = {resource for rule in role["rules"] for resource in rule["resources"]}
    rules = cluster_rules(purposes_of(catalog_of(cluster)))
    assert {resource for rule in rules for resource in rule.resources} <= granted


@clusters
def test_the_sign_in_asks_one_provider_over_tls_and_names_admins(
    cluster: str, catalog_file: Path
) -> None:
    config = jupyterhub_config(values_of(cluster), catalog_file)
    sign_in = config.GenericOAuthenticator
    hosts = {sign_in[name].split("/")[2] for name in ("authorize_url", "token_url", "userdata_url")}
    addresses = [value for name, value in sign_in.items() if name.endswith("_url")]
    assert len(hosts) == 1
    assert all(address.startswith("https://") for address in addresses)
    assert sign_in.admin_groups
    assert sign_in.manage_groups
    assert sign_in.enable_auth_state
    assert sign_in.refresh_pre_spawn


@clusters
def test_no_secret_is_among_the_values(cluster: str) -> None:
    assert list(_secrets(values_of(cluster))) == []


def test_a_secret_among_the_values_is_found() -> None:
    assert list(_secrets({"hub": {"db": {"password": "hunter2"}}})) == ["password"]
    assert list(_secrets({"hub": {"db": {"url": "postgresql://jo:hunter2@db/hub"}}})) == ["url"]


def _secrets(value: Any, name: str = "") -> Iterator[str]:
    """Keys whose value is a secret, not a reference to one."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _secrets(below, str(key))
    elif isinstance(value, list):
        for below in value:
            yield from _secrets(below, name)
    elif value and (SECRET.search(name) or PASSWORD_IN_URL.search(str(value))):
        yield name


@clusters
def test_scopes_of_roles_are_real(cluster: str) -> None:
    for role in values_of(cluster)["hub"]["loadRoles"].values():
        assert set(role["scopes"]) <= set(scope_definitions)


def test_the_image_says_of_which_versions_it_is() -> None:
    image = yaml.safe_load(BASE.read_text())["hub"]["image"]
    assert image["tag"] == f"{CHART_VERSION}-{gpuspawner.__version__}"
