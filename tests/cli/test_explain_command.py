"""`gpuspawner explain`: the deciding rule, and the page's sentence on what could be started now."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import GPU, Run, a_pod, read_report, squeezed, write_kubeconfig

from gpuspawner.cli.explain import ExplainReport
from gpuspawner.simcluster.apimachinery.resources import PODS, PRIORITYCLASSES, RUNTIMECLASSES
from gpuspawner.simcluster.apiserver.access import AccessRules, Rule
from gpuspawner.simcluster.apiserver.faults import FaultPlan, Refuse
from gpuspawner.simcluster.storage.store import Store


async def explained(run: Run, *arguments: object) -> Any:
    return read_report(await run("explain", "--json", *arguments), ExplainReport)


def words(report: Any) -> dict[str, str]:
    return {one.slug: one.now.words for one in report.profiles if one.now is not None}


async def test_without_a_cluster_only_the_catalog_is_asked_and_that_is_said(
    run: Run, catalog: Path
) -> None:
    result = await run("explain", catalog, "eve", "--groups", "staff, interns")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"eve, in interns, staff; {catalog}",
        "Only the catalog was asked; --cluster asks what could be started now.",
        "",
        "OFFERED  BY",
        "cpu      rule 1, line 21: everyone",
        "one      rule 3, line 23: group staff",
        "big      rule 3, line 23: group staff",
        "",
        "DENIED  BY",
        "two     rule 2, line 22: group interns",
    ]


async def test_a_user_without_groups_is_fine(run: Run, catalog: Path) -> None:
    report = await explained(run, catalog, "nobody-knows-her")
    assert {one.slug: one.allowed for one in report.profiles} == {
        "cpu": True,
        "one": False,
        "two": False,
        "big": False,
    }
    assert report.profiles[1].rule is None
    assert report.profiles[1].because == "no access rule matches"


async def test_a_group_that_no_rule_is_about_is_pointed_out(run: Run, catalog: Path) -> None:
    result = await run("explain", catalog, "--groups", "stuff")
    assert "No access rule is about the group 'stuff'; did you mean 'staff'?" in result.stdout


async def test_the_rule_is_named_by_index_line_group_and_pattern(run: Run, catalog: Path) -> None:
    report = await explained(run, catalog, "--groups", "staff,interns")
    two = {one.slug: one for one in report.profiles}["two"]
    assert (two.rule.index, two.rule.line, two.rule.grant) == (1, 22, "group interns")
    assert (two.rule.pattern, two.later) == ("two", (2,))


NOW = {
    "cpu": "free: room for 24 more, on 3 nodes; 1 node closed",
    "one": "3 of 6 free, on 2 nodes; 1 node closed",
    "two": "free: room for 1 more, on 1 node; 1 node closed",
    "big": "never fits: asks for 1 TiB of memory, the largest node offers 64 GiB",
}


async def recorded(run: Run, kubeconfig: Path, *options: str) -> Path:
    file = kubeconfig.with_name("state.jsonl.gz")
    result = await run("snapshot", "--kubeconfig", kubeconfig, "-o", file, *options)
    assert result.exit_code == 0, result.stderr
    return file


async def test_now_is_said_as_the_page_says_it(run: Run, kubeconfig: Path, catalog: Path) -> None:
    live = await explained(
        run, catalog, "--groups", "staff", "--cluster", "--kubeconfig", kubeconfig
    )
    assert words(live) == NOW
    assert (live.source.live, live.source.namespace, live.source.state) == (True, "jhub", "live")
    assert live.profiles[1].now.can_start


async def test_a_recording_says_what_the_cluster_said(
    run: Run, kubeconfig: Path, catalog: Path
) -> None:
    file = await recorded(run, kubeconfig, "--keep-names")
    report = await explained(run, catalog, "--groups", "staff", "--recorded", file, "-n", "jhub")
    assert words(report) == NOW
    assert not report.source.live
    assert report.source.taken


@pytest.mark.parametrize(
    ("overhead", "expected"),
    [
        pytest.param({"podFixed": {"cpu": "1"}}, "on 2 nodes", id="that leaves room"),
        pytest.param(
            {"podFixed": {"cpu": "9"}}, "never fits: asks for 10 CPU", id="that leaves none"
        ),
    ],
)
@pytest.mark.parametrize("kind", ["live", "recorded"])
async def test_what_a_runtime_class_adds_counts(  # noqa: PLR0917 - fixtures
    run: Run,
    kubeconfig: Path,
    catalog: Path,
    store: Store,
    overhead: dict[str, Any],
    expected: str,
    kind: str,
) -> None:
    store.delete(RUNTIMECLASSES, "", "nvidia")
    meta = {"metadata": {"name": "nvidia"}, "handler": "nvidia"}
    store.create(RUNTIMECLASSES, "", {**meta, "overhead": overhead})
    source: list[object] = ["--cluster", "--kubeconfig", kubeconfig]
    if kind == "recorded":
        source = ["--recorded", await recorded(run, kubeconfig)]
    report = await explained(run, catalog, "--groups", "staff", *source)
    assert expected in words(report)["one"]


async def test_a_class_that_is_not_recorded_is_unknown_and_one_that_is_not_there_is_missing(
    run: Run, kubeconfig: Path, catalog: Path, faults: FaultPlan, store: Store
) -> None:
    store.delete(PRIORITYCLASSES, "", "gpu-high")
    report = await explained(
        run, catalog, "--groups", "staff", "--recorded", await recorded(run, kubeconfig)
    )
    [one] = [one.now for one in report.profiles if one.slug == "one"]
    assert (one.standing, one.fault) == ("never", "there is no PriorityClass gpu-high")
    faults.add(Refuse(403), resource="priorityclasses", times=None)
    report = await explained(
        run, catalog, "--groups", "staff", "--recorded", await recorded(run, kubeconfig)
    )
    [one] = [one.now for one in report.profiles if one.slug == "one"]
    assert (one.standing, one.can_start) == ("unknown", True)
    assert "PriorityClasses" in one.unadmitted


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        pytest.param("--keep-names", ("busy", 'persistentvolumeclaim "home" not found'), id="kept"),
        pytest.param("", ("unknown", ""), id="replaced"),
    ],
)
async def test_a_claim_is_missing_only_where_names_were_kept(  # noqa: PLR0917 - fixtures
    run: Run, kubeconfig: Path, catalog: Path, tmp_path: Path, option: str, expected: Any
) -> None:
    config = tmp_path / "jupyterhub_config.py"
    home = {"name": "home", "persistentVolumeClaim": {"claimName": "home"}}
    await asyncio.to_thread(config.write_text, f"c.KubeSpawner.volumes = [{home}]\n")
    file = await recorded(run, kubeconfig, *filter(None, [option]))
    report = await explained(
        run, catalog, "eve", "--recorded", file, "-n", "jhub", "--config", config
    )
    [cpu] = [one.now for one in report.profiles if one.slug == "cpu"]
    assert (cpu.standing, cpu.blocked) == expected


async def test_a_waiting_profile_says_nothing_of_who_is_ahead(
    run: Run, kubeconfig: Path, catalog: Path, store: Store
) -> None:
    for name, node in (("a", "gpu-1"), ("b", "gpu-2"), ("c", "gpu-2")):
        store.create(PODS, "jhub", a_pod(name, node, 1))
    text = await asyncio.to_thread(catalog.read_text)
    text = text.replace("    priority_class: gpu-high\n", "")
    waits = text.replace("accelerator: a100, cpu: 1", "accelerator: a100, when_full: wait, cpu: 1")
    await asyncio.to_thread(catalog.write_text, waits)
    report = await explained(
        run, catalog, "--groups", "staff", "--cluster", "--kubeconfig", kubeconfig
    )
    assert words(report)["one"] == (
        "busy: none of 6 free; 1 node closed; one can wait in line for up to 1 hour"
    )
    assert any("known to the hub alone" in note for note in report.source.notes)


@pytest.mark.parametrize("resource", ["nodes", "pods"])
async def test_without_nodes_or_pods_everything_is_unknown_and_the_right_is_named(
    run: Run, kubeconfig: Path, catalog: Path, access: AccessRules, resource: str
) -> None:
    others = {"nodes", "pods"} - {resource}
    access.rules = [Rule(resources=(*others, "*c*", "*q*"))]
    result = await run("explain", catalog, "eve", "--cluster", "--kubeconfig", kubeconfig)
    assert result.exit_code == 3
    assert "unknown" in result.stdout
    assert "free" not in result.stdout
    assert f"not allowed to list {resource}" in squeezed(result.stdout).replace(", watch", "")


async def test_without_a_dry_run_it_is_unknown_and_says_what_to_do(
    run: Run, kubeconfig: Path, catalog: Path
) -> None:
    result = await run(
        "explain", catalog, "--groups", "staff", "--cluster", "--kubeconfig", kubeconfig,
        "-n", "nowhere",
    )  # fmt: skip
    said = squeezed(result.stdout)
    assert "the namespace must exist" in said
    assert "free: room for 24 more" in said


async def test_a_cluster_that_is_away_is_said_with_its_address(
    run: Run, tmp_path: Path, catalog: Path
) -> None:
    away = await asyncio.to_thread(write_kubeconfig, tmp_path / "away", "http://127.0.0.1:1")
    result = await run("explain", catalog, "eve", "--cluster", "--kubeconfig", away)
    assert result.exit_code == 3
    assert "the API server at http://127.0.0.1:1 cannot be asked" in result.stderr


async def test_the_pods_are_those_of_the_hubs_configuration(
    run: Run, kubeconfig: Path, catalog: Path, tmp_path: Path
) -> None:
    config = tmp_path / "jupyterhub_config.py"
    line = f"c.KubeSpawner.extra_container_config = {{'resources': {{'limits': {{'{GPU}': 2}}}}}}"
    await asyncio.to_thread(config.write_text, f"{line}\nc.KubeSpawner.mem_limit = '90G'\n")
    report = await explained(
        run, catalog, "eve", "--cluster", "--kubeconfig", kubeconfig, "--config", config
    )
    [cpu] = [one.now for one in report.profiles if one.slug == "cpu"]
    assert cpu.standing == "never"
    assert "the pod would ask for" in cpu.fault
    assert not any("KubeSpawner's defaults" in note for note in report.source.notes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("c.KubeSpawner.x = ", "SyntaxError", id="no Python"),
        pytest.param("raise SystemExit(4)", "SystemExit", id="it exits"),
    ],
)
async def test_a_configuration_that_cannot_be_run_is_said(  # noqa: PLR0917 - fixtures
    run: Run, kubeconfig: Path, catalog: Path, tmp_path: Path, text: str, words: str
) -> None:
    config = tmp_path / "jupyterhub_config.py"
    await asyncio.to_thread(config.write_text, text)
    result = await run(
        "explain", catalog, "eve", "--cluster", "--kubeconfig", kubeconfig, "--config", config
    )
    assert result.exit_code == 1
    assert words in result.stderr
    assert "Traceback" not in result.stderr


async def test_a_pipe_gets_no_colours_and_no_line_over_80_columns(
    run: Run, kubeconfig: Path, catalog: Path
) -> None:
    result = await run(
        "explain", catalog, "--groups", "staff", "--cluster", "--kubeconfig", kubeconfig
    )
    assert "\x1b" not in result.stdout
    _, *lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line != line.rstrip()] == []


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="nobody is named"),
        pytest.param(["eve", "--cluster", "--recorded", "FILE"], id="two sources"),
    ],
)
async def test_a_wrong_command_line(run: Run, catalog: Path, arguments: list[str]) -> None:
    given = [str(catalog) if one == "FILE" else one for one in arguments]
    assert (await run("explain", catalog, *given)).exit_code == 2


async def test_a_catalog_that_is_not_valid_is_said(run: Run, catalog: Path) -> None:
    await asyncio.to_thread(catalog.write_text, "profiles: []\n")
    result = await run("explain", catalog, "eve")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "at least one profile" in result.stderr
