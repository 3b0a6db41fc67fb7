"""What SQL of people may be, by the tree that DuckDB's own parser makes of it: one that reads tables, and nothing else.

This is for clear refusals and for the names of the tables. What holds a secret back is that a sandbox is never lent it.
"""

from collections.abc import Iterator
from typing import Any

ALL_TABLES = "*"
"""Of SHOW TABLES, which names none."""
_TABLE_FUNCTIONS = frozenset({"generate_series", "range", "unnest"})
"""Those that read nothing. Others read files, memory by its address, settings, or SQL from a text."""
_REFUSED_FUNCTIONS = frozenset({"current_setting", "getenv", "getvariable", "nextval", "currval", "write_log"})
_EMPTY = "There is no statement to run."
_OWN_NAMES = ("duckdb_", "pg_", "pragma_", "sqlite_")
"""Views of its own begin so, and are read where WITH gives the name elsewhere."""
_LISTINGS = frozenset({'"tables"', "__show_tables_expanded"})


class Refused(Exception):
    """Its text says why, for people."""


def admitted(tree: dict[str, Any]) -> list[str]:
    """The tables that a statement names, as it names them; raises Refused.

    `tree` is what DuckDB's json_serialize_sql gives of a text without a fault in it.
    """
    statements = tree.get("statements", [])
    if len(statements) != 1:
        raise Refused(f"These are {len(statements)} statements; one at a time is run." if statements else _EMPTY)
    named: dict[str, None] = {}
    for node, made in _nodes(statements[0]):
        _check_function(node)
        kind = node.get("type")
        if kind == "BASE_TABLE":
            name = _name(node)
            if name.casefold() not in made:
                named.setdefault(name)
        elif kind == "SHOW_REF" and node.get("query") is None:
            if node.get("table_name") not in _LISTINGS:
                raise Refused("SHOW is for TABLES, and DESCRIBE for one table.")
            named.setdefault(ALL_TABLES)
    return list(named)


def _name(node: dict[str, Any]) -> str:
    if node.get("at_clause") is not None:
        raise Refused("A table is read as it is now: AT has no place here.")
    name = str(node.get("table_name"))
    if before := [str(node[part]) for part in ("catalog_name", "schema_name") if node.get(part)]:
        raise Refused(
            f"{'.'.join([*before, name])[:100]} is no name of a table here: none has a schema; one with dots stands "
            'in double quotes, such as "shiftleft.public.orders"'
        )
    return name


def _check_function(node: dict[str, Any]) -> None:
    if node.get("type") == "TABLE_FUNCTION":
        name = str(node.get("function", {}).get("function_name", "")).casefold()
        if name not in _TABLE_FUNCTIONS:
            raise Refused(f"{name} cannot be read from: SQL here reads tables, and no file, address or setting.")
    elif str(node.get("function_name", "")).casefold() in _REFUSED_FUNCTIONS:
        raise Refused(f"The function {node['function_name']} is none of those that may be used here.")


def _nodes(tree: Any) -> Iterator[tuple[dict[str, Any], frozenset[str]]]:
    """Every object of it, and the names that WITH gives there; without recursion, for a text may be nested deep.

    Names are in small letters. What WITH makes knows the names before its own; whether it knows its own as well is for
    the recursive.
    """
    left: list[tuple[Any, frozenset[str]]] = [(tree, frozenset())]
    while left:
        one, made = left.pop()
        if isinstance(one, dict):
            given = one.get("cte_map", {}).get("map", [])
            inside = made
            for entry in given:
                own = inside | {_made(entry)}
                left.append((entry["value"], own if _is_recursive(entry) else inside))
                inside = own
            yield one, inside
            left.extend((value, inside) for key, value in reversed(one.items()) if key != "cte_map")
        elif isinstance(one, list):
            left.extend((value, made) for value in reversed(one))


def _made(entry: dict[str, Any]) -> str:
    name = str(entry["key"]).casefold()
    if name.startswith(_OWN_NAMES):
        raise Refused(f"WITH cannot give the name {name[:100]}, which is like one of DuckDB's own")
    return name


def _is_recursive(entry: dict[str, Any]) -> bool:
    return bool(entry["value"]["query"]["node"].get("type") == "RECURSIVE_CTE_NODE")
