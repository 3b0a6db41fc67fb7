"""Which statements may be replaced at the offsets that they have read."""

import pytest

from dashboard.deploy.pipeline import load_pipeline
from dashboard.deploy.stateless import is_stateless
from dashboard.settings import PipelineSettings


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t SELECT a, b FROM s",
        "INSERT INTO t (a, b) SELECT a, b + 1 FROM s WHERE b > 2",
        "INSERT INTO `t`\nSELECT x.a, CAST(x.b AS DECIMAL(9, 2))\nFROM `shiftleft.public.orders` AS x\nWHERE (a > 1)",
        "INSERT INTO t SELECT 'JOIN', a -- GROUP BY\nFROM s /* , u */ WHERE a = 'SUM(x)'",
        "INSERT INTO t SELECT CASE WHEN (a > 1) THEN (a) ELSE 0 END FROM cat.db.s",
    ],
)
def test_projections_and_filters_of_one_table_keep_no_state(text: str) -> None:
    assert is_stateless(text)


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t SELECT a FROM s, u",
        "INSERT INTO t SELECT a FROM s JOIN u ON s.a = u.a",
        "INSERT INTO t SELECT a FROM s AS x, u AS y WHERE x.a = y.a",
        "INSERT INTO t SELECT DISTINCT a FROM s",
        "INSERT INTO t SELECT SUM(a) FROM s",
        "INSERT INTO t SELECT `SUM`(a) FROM s",
        "INSERT INTO t SELECT COUNT (*) FROM s",
        "INSERT INTO t SELECT last_value(a) FROM s",
        "INSERT INTO t SELECT their_own(a) FROM s",
        "INSERT INTO t SELECT cat.db.their_own(a) FROM s",
        "INSERT INTO t SELECT a FROM s GROUP BY a",
        "INSERT INTO t SELECT a FROM s ORDER BY a",
        "INSERT INTO t SELECT a FROM (SELECT a FROM s)",
        "INSERT INTO t SELECT a FROM s WHERE a IN (SELECT a FROM u)",
        "INSERT INTO t SELECT a FROM s WHERE EXISTS (SELECT 1 FROM u)",
        "INSERT INTO t SELECT a FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '1' HOUR))",
        "INSERT INTO t SELECT a FROM s UNION ALL SELECT a FROM u",
        "INSERT INTO t SELECT a FROM s CROSS UNNEST(b)",
        "INSERT INTO t SELECT a FROM s MATCH_RECOGNIZE (PATTERN (A))",
        "INSERT INTO t SELECT a FROM s FOR SYSTEM_TIME AS OF x",
        "INSERT INTO t SELECT EXTRACT(DAY FROM a) FROM s",
        "INSERT INTO t WITH w AS (SELECT 1) SELECT * FROM w",
        "INSERT INTO t VALUES (1)",
        "INSERT INTO t SELECT 1",
        "CREATE TABLE t AS SELECT a FROM s",
        "EXECUTE STATEMENT SET BEGIN INSERT INTO t SELECT a FROM s; END",
    ],
)
def test_everything_else_counts_as_keeping_state(text: str) -> None:
    assert not is_stateless(text)


def test_every_statement_of_the_pipeline_keeps_state() -> None:
    assert not [one.name for one in load_pipeline(PipelineSettings()).statements if one.is_stateless]
