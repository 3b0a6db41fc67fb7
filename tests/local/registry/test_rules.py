from typing import Any

import httpx
import pytest

SCHEMA = '{"type": "record", "name": "Sale", "fields": [{"name": "code", "type": "string"}]}'
RULE: dict[str, Any] = {"name": "codeIsValid", "kind": "CONDITION", "mode": "WRITE", "type": "CEL", "expr": "true"}


@pytest.mark.parametrize(
    ("rule_set", "told"),
    [
        ({"domainRules": [{**RULE, "name": ""}]}, "Missing rule name"),
        ({"domainRules": [{**RULE, "name": "x" * 257}]}, "too long"),
        ({"domainRules": [{**RULE, "name": "1st"}]}, "initial character"),
        ({"domainRules": [{**RULE, "name": "has space"}]}, "Illegal character"),
        ({"domainRules": [RULE, RULE]}, "duplicate name 'codeIsValid'"),
        ({"domainRules": [RULE], "migrationRules": [{**RULE, "mode": "UPGRADE"}]}, "duplicate name"),
        ({"domainRules": [{**RULE, "type": None}]}, "Missing rule type"),
        ({"domainRules": [{**RULE, "mode": "UPGRADE"}]}, "UPGRADE"),
        ({"domainRules": [{**RULE, "mode": "WRITTEN"}]}, "WRITTEN"),
        ({"domainRules": [{**RULE, "kind": "WISH"}]}, "WISH"),
        ({"domainRules": [{**RULE, "onFailure": "ERROR,NONE"}]}, "Multiple actions"),
        ({"domainRules": [{**RULE, "onFailure": 1}]}, "onFailure"),
        ({"domainRules": {"a": RULE}}, "list of rules"),
        ({"encodingRules": ["rule"]}, "A rule is an object"),
    ],
)
def test_a_malformed_rule_is_refused_by_name_before_anything_is_kept(
    http: httpx.Client, subject: str, rule_set: dict[str, Any], told: str
) -> None:
    refused = http.post(f"/subjects/{subject}/versions", json={"schema": SCHEMA, "ruleSet": rule_set})

    assert (refused.status_code, refused.json()["error_code"]) == (422, 42210)
    assert told in refused.json()["message"]
    assert http.get(f"/subjects/{subject}/versions").status_code == 404


def test_a_pair_of_actions_is_fine_where_a_rule_runs_both_ways(http: httpx.Client, subject: str) -> None:
    rule = {**RULE, "mode": "WRITEREAD", "onFailure": "ERROR,NONE"}

    taken = http.post(f"/subjects/{subject}/versions", json={"schema": SCHEMA, "ruleSet": {"domainRules": [rule]}})

    assert taken.status_code == 200
    assert taken.json()["ruleSet"] == {"domainRules": [rule]}
