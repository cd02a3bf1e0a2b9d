"""What is shipped for a cluster fits what the product asks of it."""

from __future__ import annotations

from pathlib import Path

import yaml

from gpuspawner.capacity.kinds import KINDS
from gpuspawner.rights import Grant, as_yaml, cluster_rules

ROLE = Path(__file__).parents[1] / "helm-values" / "clusterrole.yaml"


def granted() -> set[tuple[str, str, str]]:
    role, _ = yaml.safe_load_all(ROLE.read_text())
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_cluster_role_is_what_the_command_prints_for_everything() -> None:
    # To write it anew: gpuspawner rbac, less the Role and its binding.
    assert ROLE.read_text() == as_yaml(Grant(), cluster_rules())


def test_the_cluster_role_grants_what_is_watched_and_nothing_else() -> None:
    watched = {("", "nodes"), ("", "pods"), *((kind.group, kind.plural) for kind in KINDS)}
    verbs = ("list", "watch")
    assert granted() == {(group, plural, verb) for group, plural in watched for verb in verbs}


def test_of_the_config_maps_it_grants_the_autoscalers_alone() -> None:
    role, _ = yaml.safe_load_all(ROLE.read_text())
    [rule] = [rule for rule in role["rules"] if "configmaps" in rule["resources"]]
    assert rule["resourceNames"] == ["cluster-autoscaler-status"]
