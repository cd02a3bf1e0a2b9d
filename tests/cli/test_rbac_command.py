"""`gpuspawner rbac`: the roles, and whether an account has them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml
from tests.cli.conftest import Run, read_report, squeezed

from gpuspawner.cli.rbac import RbacReport
from gpuspawner.simcluster.apiserver.access import AccessRules, Rule
from gpuspawner.simcluster.apiserver.faults import FaultPlan, Refuse

ROLE = Path(__file__).parents[2] / "helm-values" / "clusterrole.yaml"


async def test_without_a_catalog_it_is_what_is_shipped_and_a_role(run: Run) -> None:
    text = (await run("rbac")).stdout
    assert text.startswith(await asyncio.to_thread(ROLE.read_text))
    kinds = [one["kind"] for one in yaml.safe_load_all(text)]
    assert kinds == ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]


async def test_with_a_catalog_it_is_what_the_catalog_needs(run: Run, catalog: Path) -> None:
    text = await asyncio.to_thread(catalog.read_text)
    text = text.replace("slug: one,", "slug: one, volumes: [scratch],")
    await asyncio.to_thread(catalog.write_text, text)
    options = ("--no-homes", "-n", "jhub", "--service-account", "my-hub", "--name", "gpus")
    text = (await run("rbac", catalog, *options)).stdout
    role, binding, local, _ = yaml.safe_load_all(text)
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "my-hub", "namespace": "jhub"}
    ]
    resources = {one for rule in role["rules"] for one in rule["resources"]}
    assert "volumeattachments" in resources
    assert resources.isdisjoint({"deviceclasses", "configmaps"})
    assert local["metadata"] == {"name": "gpus", "namespace": "jhub"}
    report = read_report(await run("rbac", catalog, *options, "--json"), RbacReport)
    assert list(report.manifests) == list(yaml.safe_load_all(text))


async def test_an_account_that_may_do_all_is_said_to(
    run: Run, kubeconfig: Path, catalog: Path
) -> None:
    result = await run("rbac", catalog, "--check", "--kubeconfig", kubeconfig)
    assert result.exit_code == 0
    assert "rights are there" in result.stdout


async def test_what_is_missing_is_named(
    run: Run, kubeconfig: Path, catalog: Path, access: AccessRules
) -> None:
    access.rules = [
        Rule(verbs=("list",), resources=("nodes",)),
        Rule(resources=("[!ne]*",)),
        Rule(resources=("events",), namespaces=("elsewhere",)),
    ]
    given = ("rbac", catalog, "-n", "jhub", "--check", "--kubeconfig", kubeconfig)
    result = await run(*given)
    assert result.exit_code == 1
    assert "watch nodes everywhere missing" in squeezed(result.stdout)
    report = read_report(await run(*given, "--json"), RbacReport)
    missing = {(one.verb, one.resource, one.namespace) for one in report.rights if not one.allowed}
    assert missing == {
        ("watch", "nodes", ""),
        ("list", "events", "jhub"),
        ("watch", "events", "jhub"),
    }


@pytest.mark.parametrize("fault", [Refuse(403), Refuse(500)], ids=["forbidden", "broken"])
async def test_what_cannot_be_asked_is_neither_there_nor_missing(
    run: Run, kubeconfig: Path, faults: FaultPlan, fault: Refuse
) -> None:
    faults.add(fault, path="*selfsubjectaccessreviews", times=None)
    result = await run("rbac", "--check", "--kubeconfig", kubeconfig)
    assert result.exit_code == 3
    assert "could not be checked" in squeezed(result.stdout)
    assert "missing" not in result.stdout


async def test_a_name_that_is_none_is_a_wrong_command_line(run: Run) -> None:
    result = await run("rbac", "--service-account", "a: b")
    assert result.exit_code == 2
    assert "is not a name in Kubernetes" in result.stderr
