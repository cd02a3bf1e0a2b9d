"""The alert rules and the dashboard, by promtool and beside the code."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from gpuspawner.metrics import families

from ..prometheus import DASHBOARD, RULES, binary, panels

HERE = Path(__file__).parent
SERIES = {
    f"{family.name}{suffix}"
    for family in families.FAMILIES
    for suffix in (("_bucket", "_count", "_sum") if family.kind == "histogram" else ("",))
}
[GROUP] = yaml.safe_load(RULES.read_text())["groups"]
EXPRESSIONS = [rule["expr"] for rule in GROUP["rules"]] + [
    expression for expressions in panels().values() for expression in expressions
]
KNOWN_LABELS = {label for family in families.FAMILIES for label in family.labels}


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["check", "rules", str(RULES)], id="the rules are valid"),
        pytest.param(["test", "rules", str(HERE / "rules_test.yaml")], id="their tests pass"),
    ],
)
def test_promtool(arguments: list[str]) -> None:
    command = [binary("promtool"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_rule_has_a_test() -> None:
    tests = yaml.safe_load((HERE / "rules_test.yaml").read_text())["tests"]
    fired = {
        one["alertname"] for test in tests for one in test["alert_rule_test"] if "exp_alerts" in one
    }
    assert fired == {rule["alert"] for rule in GROUP["rules"]}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_asks_for_what_there_is(expression: str) -> None:
    assert set(re.findall(r"gpuspawner_\w+", expression)) <= SERIES
    labels = set(re.findall(r"[{,]\s*(\w+)\s*=", expression))
    assert labels <= KNOWN_LABELS | {"job"}
    for value in re.findall(r'(?:standing|outcome|reason|state)=~?"([^"]+)"', expression):
        known = {*families.STANDINGS, *families.OUTCOMES, *families.REASONS}
        assert set(value.split("|")) <= known | set(families.DEVICE_STATES)


def test_every_metric_but_the_build_is_on_the_dashboard_or_alerts() -> None:
    asked = set(re.findall(r"gpuspawner_\w+", " ".join(EXPRESSIONS)))
    asked = {name.removesuffix("_bucket") for name in asked}
    left = {family.name for family in families.FAMILIES} - asked
    assert left == {
        "gpuspawner_build_info",
        "gpuspawner_devices_known",
        "gpuspawner_catalog_invalid_since_timestamp_seconds",
        "gpuspawner_catalog_in_force_since_timestamp_seconds",
        "gpuspawner_database_down_since_timestamp_seconds",
    }


def test_the_dashboard_can_be_imported_with_any_data_source() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    source, job = dashboard["templating"]["list"]
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    assert job["allValue"] == ".*"
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    places = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)
    for panel in dashboard["panels"]:
        assert {one["datasource"]["uid"] for one in panel["targets"]} == {"${datasource}"}
        assert panel["title"]
        assert panel["description"]
