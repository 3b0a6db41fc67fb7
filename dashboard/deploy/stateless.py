"""Which statements keep no state: one INSERT that projects and filters the rows of one table, and nothing else.

Judged by its words, those outside quotes and comments. Whatever is not known here counts as keeping state.
"""

import re

from dashboard.deploy.script import words_of

_BEGINS = re.compile(r"INSERT INTO \S+ (\( .*? \) )?SELECT ", re.DOTALL)
_STATEFUL = (
    "JOIN GROUP DISTINCT OVER UNION INTERSECT EXCEPT MINUS ORDER LIMIT FETCH OFFSET MATCH_RECOGNIZE TABLE TUMBLE HOP "
    "SESSION CUMULATE LATERAL UNNEST EXISTS IN WITH VALUES HAVING WINDOW QUALIFY PARTITION SET TABLESAMPLE"
)
_HARMLESS = (
    "ABS CAST TRY_CAST CEIL CHAR_LENGTH COALESCE CONCAT FLOOR IF IFNULL LOWER LTRIM NULLIF REPLACE ROUND RTRIM "
    "SUBSTRING TRIM UPPER DECIMAL VARCHAR CHAR TIMESTAMP TIMESTAMP_LTZ TIME AND OR NOT WHEN THEN ELSE CASE WHERE "
    "BETWEEN SELECT AS"
)
"""What may stand before a parenthesis: an aggregate or a function of somebody's own may not."""
_STATEFUL_WORDS, _HARMLESS_CALLS = frozenset(_STATEFUL.split()), frozenset(_HARMLESS.split())
_FROM_ONE = re.compile(r"FROM [^\s(),]+( AS)?( [\w`]+)?( WHERE .*)?", re.DOTALL)


def is_stateless(text: str) -> bool:
    words = words_of(text)
    upper = [word.upper() for word in words]
    plain = " ".join(upper)
    if (
        not _BEGINS.match(plain)
        or upper.count("SELECT") != 1
        or upper.count("FROM") != 1
        or not _STATEFUL_WORDS.isdisjoint(upper)
    ):
        return False
    start = upper.index("SELECT")
    calls = {before for before, word in zip(upper[start:], upper[start + 1 :], strict=False) if word == "("}
    if any(re.search(r"[\w`]", call) and call not in _HARMLESS_CALLS for call in calls) or ";" in upper:
        return False
    return _FROM_ONE.fullmatch(" ".join(upper[upper.index("FROM") :])) is not None
