"""`gpuspawner validate` against a cluster, live and recorded; its exit status and its JSON."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from kubernetes_asyncio.config import kube_config
from tests.cli.conftest import CATALOG, Run, read_report, write_kubeconfig

from gpuspawner.cli.validate import ValidateReport
from gpuspawner.simcluster.apiserver.access import AccessRules, Rule
from gpuspawner.simcluster.apiserver.faults import FaultPlan, Refuse

TYPOS = (
    ("gpu-model: a100", "gpu-model: a10", "accelerators.a100.node_selector.gpu-model", "a100"),
    ("runtime_class: nvidia", "runtime_class: nvidea", "accelerators.a100.runtime_class", "nvidia"),
    ("gpu-high", "gpu-hihg", "accelerators.a100.priority_class", "gpu-high"),
    ("fast-scratch", "fast-scrach", "volumes.scratch.ephemeral.storage_class", "fast-scratch"),
    ("name: data", "name: dta", "volumes.data.claim.name", "data"),
    ("resource: nvidia.com/gpu", "resource: nvidia.com/gpus", "accelerators.a100.resource", "gpu"),
)


async def source(run: Run, kubeconfig: Path, kind: str) -> list[object]:
    if kind == "live":
        return ["--cluster", "--kubeconfig", kubeconfig]
    file = kubeconfig.with_name("state.jsonl.gz")
    await run("snapshot", "--keep-names", "--kubeconfig", kubeconfig, "-o", file)
    return ["--recorded", file, "-n", "jhub"]


@pytest.mark.parametrize("kind", ["live", "recorded"])
async def test_a_catalog_of_what_is_there_is_valid(
    run: Run, kubeconfig: Path, catalog: Path, kind: str
) -> None:
    result = await run("validate", catalog, *await source(run, kubeconfig, kind))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{catalog}: valid, 4 profiles\n"


@pytest.mark.parametrize("kind", ["live", "recorded"])
async def test_each_typo_is_found_with_its_line_and_what_was_meant(
    run: Run, kubeconfig: Path, catalog: Path, kind: str
) -> None:
    text = CATALOG
    for right, wrong, _, _ in TYPOS:
        text = text.replace(right, wrong)
    await asyncio.to_thread(catalog.write_text, text)
    result = await run("validate", catalog, "--json", *await source(run, kubeconfig, kind))
    report = read_report(result, ValidateReport)
    [file] = report.files
    assert (result.exit_code, report.status, file.result) == (1, 1, "invalid")
    said = {one.field: one for one in file.problems}
    assert said.keys() == {field for _, _, field, _ in TYPOS}
    for _, wrong, field, meant in TYPOS:
        assert meant in (said[field].hint or "")
        line = text.splitlines()[(said[field].line or 0) - 1]
        assert wrong in line
        assert line[(said[field].column or 0) - 1 :].startswith(wrong.split(": ")[-1])


async def test_without_a_kubeconfig_it_says_so_once_with_the_remedy(
    run: Run,
    catalog: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    nowhere = str(tmp_path / "no" / "config")
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", nowhere)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    result = await run("validate", catalog, "--cluster")
    assert result.exit_code == 3
    assert result.stderr == (
        f"could not be checked: there is no kubeconfig at {nowhere}; name one with --kubeconfig\n"
    )
    # What is logged goes to the terminal as well.
    assert caplog.messages == []


@pytest.mark.parametrize("resource", ["nodes", "runtimeclasses", "persistentvolumeclaims"])
async def test_without_a_right_it_is_neither_wrong_nor_fine(
    run: Run, kubeconfig: Path, catalog: Path, faults: FaultPlan, resource: str
) -> None:
    faults.add(Refuse(403), resource=resource, times=None)
    result = await run("validate", catalog, "--cluster", "--kubeconfig", kubeconfig)
    assert result.exit_code == 3
    assert "could not be checked: whether " in result.stderr
    assert f"(the account may not list {resource})" in result.stderr
    assert result.stdout == f"{catalog}: valid by itself, 4 profiles; 1 thing not checked\n"


async def test_a_fault_goes_before_what_could_not_be_checked(
    run: Run, kubeconfig: Path, catalog: Path, access: AccessRules
) -> None:
    access.rules = [Rule(resources=("nodes",))]
    await asyncio.to_thread(catalog.write_text, CATALOG.replace("a100}", "a10}"))
    result = await run("validate", catalog, "--cluster", "--kubeconfig", kubeconfig)
    assert result.exit_code == 1
    assert "did you mean 'a100'?" in result.stderr
    assert result.stderr.count("could not be checked") == 4


async def test_a_cluster_that_is_away_leaves_the_catalog_checked(
    run: Run, tmp_path: Path, catalog: Path
) -> None:
    away = await asyncio.to_thread(write_kubeconfig, tmp_path / "away", "http://127.0.0.1:1")
    result = await run("validate", catalog, "--cluster", "--kubeconfig", away)
    assert result.exit_code == 3
    assert "the API server at http://127.0.0.1:1 cannot be asked" in result.stderr
    assert "--kubeconfig" in result.stderr
    assert result.stdout == f"{catalog}: valid by itself, 4 profiles; the cluster not checked\n"


async def test_names_that_were_replaced_leave_claims_unchecked(
    run: Run, kubeconfig: Path, catalog: Path
) -> None:
    file = kubeconfig.with_name("state.jsonl")
    await run("snapshot", "--kubeconfig", kubeconfig, "-o", file)
    result = await run("validate", catalog, "--recorded", file, "-n", "jhub")
    assert result.exit_code == 3
    assert "names were replaced in the recording" in result.stderr
    assert result.stderr.count("could not be checked") == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("- a\n- b\n", "must be a mapping", id="no mapping"),
        pytest.param("", "is empty", id="nothing"),
        pytest.param("a: b: c\n", "not YAML", id="no YAML"),
    ],
)
async def test_a_file_that_is_no_catalog_is_said(
    run: Run, catalog: Path, text: str, words: str
) -> None:
    await asyncio.to_thread(catalog.write_text, text)
    result = await run("validate", catalog, "--json")
    [file] = read_report(result, ValidateReport).files
    assert (result.exit_code, file.result, file.profiles) == (1, "invalid", None)
    assert words in file.problems[0].message
    assert (file.problems[0].line, file.problems[0].column is not None) == (1, True)


async def test_a_file_that_is_not_there_has_no_line(run: Run, tmp_path: Path) -> None:
    result = await run("validate", tmp_path / "no.yaml", "--json")
    [file] = read_report(result, ValidateReport).files
    assert result.exit_code == 1
    assert (file.problems[0].line, file.problems[0].column) == (None, None)


async def test_hints_and_warnings_do_not_fail(run: Run, catalog: Path) -> None:
    text = CATALOG.replace("memory: 1Ti}", "memory: 1Gi, when_full: wait, session_limit: 8h}")
    await asyncio.to_thread(catalog.write_text, text)
    result = await run("validate", catalog)
    assert result.exit_code == 0
    assert result.stderr.count(": hint: ") == 3
    assert result.stdout.endswith("valid, 4 profiles\n")


async def test_two_sources_are_a_wrong_command_line(
    run: Run, kubeconfig: Path, catalog: Path
) -> None:
    result = await run("validate", catalog, "--cluster", "--recorded", kubeconfig)
    assert result.exit_code == 2
