"""The files for Prometheus and Grafana are PromQL, and ask for nothing that is not exposed."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml
from promql_parser import AggregateExpr, BinaryExpr, Expr, VectorSelector

from dashboard.freshness.exposition import exposition
from dashboard.freshness.verdict import Concern, State
from dashboard.sql_files import ROOT
from tests.freshness.looks import AT, readings, verdict
from tests.openmetrics import families

RULES = yaml.safe_load((ROOT / "docs" / "prometheus-rules.yml").read_text())["groups"][0]["rules"]
GRAFANA = json.loads((ROOT / "docs" / "grafana-dashboard.json").read_text())
OF_PROMETHEUS = {"up": {"job": {"sales-trends"}}}
ADDED = {"job", "instance"}
"""Labels that Prometheus adds to each."""


def exposed() -> dict[str, dict[str, set[str]]]:
    """The values of each label that were seen, by the name of a sample."""
    told = families(exposition((verdict(State.LATE, None, AT, Concern("quality", "Wrong.")), readings())).decode())
    found: dict[str, dict[str, set[str]]] = {}
    for sample in (sample for family in told.values() for sample in family.samples):
        labels = found.setdefault(sample.name, {})
        for name, value in sample.labels.items():
            labels.setdefault(name, set()).add(value)
    return found


EXPOSED = exposed() | OF_PROMETHEUS


def expressions() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield rule["alert"], rule["expr"]
        for text in rule["annotations"].values():
            yield from ((f"{rule['alert']} says", query) for query in re.findall(r'query "([^"]+)"', text))
    for panel in GRAFANA["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])
    for variable in GRAFANA["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((\w+), instance\)", variable["query"]["query"])
            assert found
            yield variable["name"], found[1]


ASKED = [pytest.param(text, id=f"{number} {name}") for number, (name, text) in enumerate(expressions())]


def parts(expression: str) -> list[Expr]:
    """Of an expression, all that it is made of; what is no PromQL fails."""
    found: list[Expr] = []
    parsed = promql_parser.parse(expression.replace("$__rate_interval", "5m"))
    promql_parser.walk(parsed, lambda part: found.append(part))
    return found


def selectors(expression: str) -> list[VectorSelector]:
    return [part for part in parts(expression) if isinstance(part, VectorSelector)]


@pytest.mark.parametrize("expression", ASKED)
def test_an_expression_asks_for_what_is_exposed(expression: str) -> None:
    for selector in selectors(expression):
        assert selector.name in EXPOSED
        labels = EXPOSED[selector.name]
        for matcher in selector.matchers.matchers:
            assert matcher.name in labels.keys() | ADDED
            if matcher.name == selector.name:
                assert set(matcher.value.split("|")) <= labels[matcher.name], "states that there are"


@pytest.mark.parametrize("expression", ASKED)
def test_an_expression_groups_by_labels_that_are_exposed(expression: str) -> None:
    labels = {label for selector in selectors(expression) for label in EXPOSED[selector.name or ""]}
    for part in parts(expression):
        if isinstance(part, AggregateExpr) and part.modifier is not None:
            assert set(part.modifier.labels) <= labels
        if isinstance(part, BinaryExpr) and part.modifier is not None and part.modifier.matching is not None:
            assert set(part.modifier.matching.labels) <= labels


@pytest.mark.parametrize("expression", ASKED)
def test_a_counter_is_asked_for_its_growth_and_nothing_else_is(expression: str) -> None:
    growths = re.findall(r"(?:rate|increase)\((\w+)", expression)

    counters = [selector.name for selector in selectors(expression) if (selector.name or "").endswith("_total")]
    assert growths == counters


def test_every_rule_says_how_bad_it_is_and_what_to_do() -> None:
    for rule in RULES:
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert {"summary", "description"} <= rule["annotations"].keys()
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def test_the_rules_tell_of_every_bad_state() -> None:
    asked = " ".join(rule["expr"] for rule in RULES)

    assert all(state in asked for state in ("late", "stale", "unknown"))


def test_the_dashboard_can_be_imported_anywhere() -> None:
    """No data source of one Grafana is named in it, no two panels overlap, and each says what it shows."""
    panels = GRAFANA["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert {json.dumps(one) for one in all_under("datasource", GRAFANA)} == {
        json.dumps({"type": "prometheus", "uid": "${datasource}"})
    }
    assert GRAFANA.get("id") is None
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["description"] for panel in panels)


def all_under(key: str, node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from [value] if name == key else all_under(key, value)
    elif isinstance(node, list):
        for one in node:
            yield from all_under(key, one)


def test_nobody_looking_is_told_also_once_an_old_look_is_not_exposed_any_more() -> None:
    """And what one statement of many does not tell for a moment is no growth of a sum."""
    asked = {rule["alert"]: rule["expr"] for rule in RULES}

    assert "absent(sales_trends_look_timestamp_seconds)" in asked["SalesTrendsNobodyLooks"]
    assert asked["SalesTrendsLateRecords"].startswith("sum(increase(sales_trends_statement_late_records_total")
