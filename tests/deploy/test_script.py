"""How a script of Flink SQL falls into statements, and what SET, RESET and USE leave for the statements after them."""

import random
from pathlib import Path

import pytest

from dashboard.deploy.script import split_script
from dashboard.errors import DeployError

STATEMENTS = Path(__file__).parents[2] / "pipeline_sql" / "statements"

THE_LAB = """\
-- the demo's own script
SET 'client.statement-name' = 'unique-payments-maintenance';
SET 'sql.state-ttl' = '1 hour';

CREATE TABLE unique_payments AS
SELECT order_id, `$rowtime` -- when it came; and no earlier
FROM payments;

/* append, not upsert; Tableflow asks for it */
ALTER TABLE unique_payments SET ('changelog.mode' = 'append');
SET 'client.statement-name' = 'completed-orders-materializer';
INSERT INTO completed_orders SELECT 'it''s; paid' FROM unique_payments
"""


def texts(script: str) -> list[str]:
    return [statement.text for statement in split_script(script)]


def refused(script: str) -> DeployError:
    with pytest.raises(DeployError) as caught:
        split_script(script)
    return caught.value


# where a statement ends


def test_a_script_becomes_its_statements_in_order() -> None:
    assert texts(THE_LAB) == [
        "CREATE TABLE unique_payments AS\nSELECT order_id, `$rowtime` -- when it came; and no earlier\nFROM payments",
        "ALTER TABLE unique_payments SET ('changelog.mode' = 'append')",
        "INSERT INTO completed_orders SELECT 'it''s; paid' FROM unique_payments",
    ]


@pytest.mark.parametrize("script", ["", " \n\t", ";", ";;\n ; ", "-- nothing; at all", "/* ; */ ; // ;", "\ufeff"])
def test_a_script_without_sql_has_no_statement(script: str) -> None:
    assert split_script(script) == []


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT ';'",
        "SELECT 'it''s;'",
        "SELECT ''';'",
        "SELECT ''''",
        "SELECT '', ';', ''",
        "SELECT ';\n;'",
        "SELECT '\\' || ';'",
        "SELECT '-- ;' || '/* ;' || '*/'",
        "SELECT `a;b`",
        "SELECT `a``;b`, ````",
        "SELECT `it's`, `/*`, `--`",
        "SELECT 1 -- it's; `never\n",
        "SELECT 1 // it's; `never\n, 2",
        "SELECT 1 /* it's; ` -- */ + 1",
        "SELECT /**/ 1 /***/ + /*/ ; */ 2",
        "SELECT /* /* ; */ 1",
        "SELECT 4 / 2 - -1 * 3",
        "SELECT * FROM t /*+ OPTIONS('scan.startup.mode' = 'a;b') */",
        "SELECT * FROM t /*+ OPTIONS('path' = 'a*/b;') */ WHERE TRUE",
        "SELECT E'it\\'s;', e'\\\\', E''';'",
        "SELECT nameE'x;', U&'\\263a;', X'3b'",
        "SELECT 'ü;', `größe;`, '😀;'",
    ],
)
def test_what_is_quoted_or_a_comment_ends_no_statement(statement: str) -> None:
    expected = statement.removesuffix(" -- it's; `never\n") if statement.endswith("\n") else statement

    assert texts(f"{statement};\nSELECT 2") == [expected, "SELECT 2"]


def test_the_comments_around_a_statement_are_left_out_and_its_hint_stays() -> None:
    assert texts("-- a\nSELECT 1 /*+ H() */ /* b */ -- c\n; // d") == ["SELECT 1 /*+ H() */"]


def test_windows_line_ends_and_a_byte_order_mark_change_nothing() -> None:
    statements = split_script("\ufeff\r\n-- one; two\r\nSELECT 1;\r\nSELECT\r\n2;\r\n")

    assert [(one.text, one.line) for one in statements] == [("SELECT 1", 3), ("SELECT\r\n2", 4)]


STATEMENT_SET = """\
EXECUTE STATEMENT SET BEGIN
INSERT INTO a SELECT CASE WHEN x THEN ';' END; -- END;
INSERT INTO b SELECT x FROM t WHERE CASE WHEN x THEN y END;
END"""


@pytest.mark.parametrize("prefix", ["", "EXPLAIN ", "/* ; */ explain plan for "])
def test_a_statement_set_is_one_statement(prefix: str) -> None:
    whole = prefix.removeprefix("/* ; */ ") + STATEMENT_SET

    assert texts(f"{prefix}{STATEMENT_SET};\nSELECT 1;") == [whole, "SELECT 1"]
    assert texts(f"{prefix}{STATEMENT_SET}") == [whole]


def test_a_statement_set_without_its_end_is_refused() -> None:
    error = refused("SELECT 1;\nEXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; INSERT INTO b SELECT 2;\nSELECT 3;")

    assert "begins on line 2" in error.message


@pytest.mark.parametrize("path", sorted(STATEMENTS.glob("*.sql")), ids=lambda path: path.stem)
def test_every_statement_of_the_pipeline_is_one(path: Path) -> None:
    text = path.read_text()

    assert len(split_script(text)) == 1
    assert split_script(text)[0].text in text


@pytest.mark.parametrize(
    ("script", "what", "line"),
    [
        ("SELECT 1;\nSELECT 'a\n;\n", "A string", 2),
        ("SELECT 'it''s", "A string", 1),
        ("SELECT 'a''", "A string", 1),
        ("SELECT 1;\n\nSELECT E'a\\';", "A string", 3),
        ("SELECT 1;\n/* SELECT 2;", "A comment", 2),
        ("/*/", "A comment", 1),
        ("SELECT `a\n;b`", "A quoted name", 1),
        ("SELECT 'a\nb', `c", "A quoted name", 2),
        ("SET 'a' = 'b;\nSELECT 1;", "A string", 1),
    ],
)
def test_what_does_not_end_is_refused_with_its_line(script: str, what: str, line: int) -> None:
    assert refused(script).message == f"{what} that begins on line {line} of the script does not end."


def random_statement(dice: random.Random) -> str:
    """Words, strings, names, comments and hints that hold all that could mislead."""
    hard = ["'", "`", ";", "--", "/*", "*/", "//", "\\", "\n", " ", "SET", "END", "é", "a"]

    def content(without: str = "") -> str:
        return "".join(one for one in dice.choices(hard, k=dice.randrange(6)) if not set(one) & set(without))

    makers = [
        lambda: "'" + content().replace("'", "''") + "'",
        lambda: "`" + content("\n").replace("`", "``") + "a`",
        lambda: "--" + content("\n") + "\n",
        lambda: "//" + content("\n") + "\n",
        lambda: "/* " + content("*/") + "*/",
        lambda: "/*+ H('" + content().replace("'", "''") + "') */",
        lambda: dice.choice(["SELECT", "a", "1", "=", "(", ")", ",", "<>"]),
    ]
    return "SELECT " + " ".join(dice.choice(makers)() for _ in range(dice.randrange(8))) + " x"


@pytest.mark.parametrize("seed", range(300))
def test_what_is_joined_by_semicolons_falls_apart_again(seed: int) -> None:
    dice = random.Random(seed)
    statements = [random_statement(dice) for _ in range(dice.randrange(1, 6))]
    between = [dice.choice([";", ";\n", " ; ", ";;", "-- ;'\n;", ";/* ;' */"]) for _ in statements]

    split = split_script("".join(statement + end for statement, end in zip(statements, between, strict=True)))

    assert [one.text for one in split] == statements


@pytest.mark.parametrize("seed", range(100))
def test_what_a_set_quotes_comes_out_as_it_was(seed: int) -> None:
    dice = random.Random(seed)
    key, value = ("x" + "".join(dice.choices("'`;-/*\\ =\né", k=dice.randrange(8))) for _ in range(2))
    quoted = ["'" + text.replace("'", "''") + "'" for text in (key, value)]

    assert dict(split_script(f"SET {quoted[0]}={quoted[1]};SELECT 1")[0].properties) == {key: value}


# SET and RESET


def test_a_statement_knows_its_name_properties_and_line() -> None:
    ctas, alter, insert = split_script(THE_LAB)

    assert (ctas.name, ctas.line) == ("unique-payments-maintenance", 5)
    assert (alter.name, alter.line) == (None, 10)
    assert (insert.name, insert.line) == ("completed-orders-materializer", 12)


def test_what_is_set_holds_for_every_later_statement_and_no_earlier_one() -> None:
    first, *later = split_script("SELECT 1; SET 'sql.state-ttl'='1 hour'; SELECT 2; SET 'a' = 'b'; SELECT 3;")

    assert first.properties == {}
    assert [one.properties for one in later] == [
        {"sql.state-ttl": "1 hour"},
        {"sql.state-ttl": "1 hour", "a": "b"},
    ]


def test_what_is_the_clients_own_is_not_sent() -> None:
    (statement,) = split_script("SET 'client.results-timeout'='1'; SET 'client.x'='y'; SELECT 1;")

    assert statement.properties == {}


def test_a_service_account_is_the_principal_until_it_is_reset() -> None:
    script = (
        "SELECT 1; SET 'client.service-account'='sa-1'; SELECT 2; SELECT 3; RESET 'client.service-account'; SELECT 4;"
    )

    assert [one.principal for one in split_script(script)] == [None, "sa-1", "sa-1", None]


def test_an_empty_service_account_is_none() -> None:
    assert split_script("SET 'client.service-account'=''; SELECT 1;")[0].principal is None


def test_a_name_is_spent_by_the_next_statement_only() -> None:
    script = "SET 'client.statement-name'='a'; SET 'client.statement-name'='b'; USE x; SELECT 1; SELECT 2;"

    assert [one.name for one in split_script(script)] == ["b", None]


@pytest.mark.parametrize(
    "command",
    [
        "SET 'k'='v'",
        "set 'k' = 'v'",
        "SET'k'='v'",
        "SET\n\t'k'\n=\n'v'",
        "-- first\nSET 'k' = 'v'",
        "/* first */ SET /* a */ 'k' = -- b\n 'v' /* c */",
        ";;SET 'k'='v';;",
    ],
)
def test_a_set_is_understood_however_it_is_laid_out(command: str) -> None:
    assert split_script(f"{command}; SELECT 1;")[0].properties == {"k": "v"}


@pytest.mark.parametrize(
    ("written", "value"),
    [("''", ""), ("'it''s'", "it's"), ("''''", "'"), ("'a=b;c'", "a=b;c"), ("' x '", " x "), ("'--'", "--")],
)
def test_a_value_is_taken_as_it_is_quoted(written: str, value: str) -> None:
    assert split_script(f"SET 'k' = {written}; SELECT 1;")[0].properties == {"k": value}


@pytest.mark.parametrize(
    "command",
    [
        "SET k = v",
        "SET 'k'",
        "SET 'k' =",
        "SET = 'v'",
        "SET =",
        "SET 'k' = v",
        'SET "k" = "v"',
        "SET `k` = `v`",
        "SET '' = 'v'",
        "SET 'k' = 'v' 'w'",
        "SET 'k' = 'v', 'l' = 'w'",
        "SET 'k' = 'v' SELECT 1",
        "SET 'k' = E'v'",
    ],
)
def test_a_set_that_does_not_parse_is_refused_with_its_line(command: str) -> None:
    error = refused(f"SELECT 1;\n\n-- now\n{command};\nSELECT 2;")

    assert error.message == "The SET on line 4 of the script does not read SET 'key' = 'value'."


def test_a_bare_set_only_shows_and_so_does_nothing() -> None:
    assert texts("SET; SET ; SELECT 1;") == ["SELECT 1"]


@pytest.mark.parametrize("key", ["sql.current-catalog", "sql.current-database"])
def test_a_catalog_or_database_is_chosen_by_use_and_not_by_set(key: str) -> None:
    error = refused(f"SELECT 1;\nSET '{key}' = 'x';")

    assert error.message == f"Line 2 of the script sets {key}, which SET cannot."
    assert "USE CATALOG" in error.hint


def test_an_empty_name_is_refused() -> None:
    assert "Line 1" in refused("SET 'client.statement-name' = ' ';").message


def test_reset_takes_back_one_key_or_all() -> None:
    script = """
        SET 'a''s' = '1'; SET 'b' = '2'; SET 'client.statement-name' = 'n'; USE CATALOG c; USE d;
        RESET 'a''s'; RESET 'client.statement-name'; SELECT 1;
        reset; SELECT 2;"""

    assert [(one.name, one.properties) for one in split_script(script)] == [
        (None, {"b": "2", "sql.current-catalog": "c", "sql.current-database": "d"}),
        (None, {}),
    ]


def test_the_database_goes_with_its_catalog() -> None:
    script = "USE CATALOG c; USE d; RESET 'sql.current-catalog'; SELECT 1; USE c.d; USE CATALOG e; SELECT 2;"

    assert [one.properties for one in split_script(script)] == [{}, {"sql.current-catalog": "e"}]


@pytest.mark.parametrize("key", ["sql.current-catalog", "sql.current-database", "sql.local-time-zone"])
def test_what_a_session_begins_with_can_be_reset_though_the_script_has_not_set_it(key: str) -> None:
    assert split_script(f"RESET '{key}'; SELECT 1;")[0].properties == {}


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("RESET 'x'", "Line 2 of the script resets x, which is not set there."),
        ("RESET x", "The RESET on line 2 of the script does not read RESET or RESET 'key'."),
        ("RESET 'a' 'b'", "The RESET on line 2 of the script does not read RESET or RESET 'key'."),
        ("EXIT", "Line 2 of the script ends a shell, and a script has none."),
        ("quit", "Line 2 of the script ends a shell, and a script has none."),
    ],
)
def test_what_a_script_cannot_do_is_refused_with_its_line(command: str, what: str) -> None:
    assert refused(f"SELECT 1;\n{command};").message == what


# USE


@pytest.mark.parametrize(
    ("command", "catalog", "database"),
    [
        ("USE CATALOG `my-env`", "my-env", None),
        ("use catalog my-env", "my-env", None),
        ("USE CATALOG`x`", "x", None),
        ("USE CATALOG `a.b``c`", "a.b`c", None),
        ("USE cluster_0", None, "cluster_0"),
        ("USE `cluster 0`", None, "cluster 0"),
        ("USE`x`", None, "x"),
        ("USE `catalog`", None, "catalog"),
        ("USE catalogs", None, "catalogs"),
        ("USE /* here */ `a;b`", None, "a;b"),
        ("USE `my-env`.`cluster 0`", "my-env", "cluster 0"),
        ("USE env-1 . lkc-1", "env-1", "lkc-1"),
    ],
)
def test_use_chooses_for_later_statements(command: str, catalog: str | None, database: str | None) -> None:
    chosen = {"sql.current-catalog": catalog, "sql.current-database": database}

    assert split_script(f"{command}; SELECT 1;")[0].properties == {key: name for key, name in chosen.items() if name}


@pytest.mark.parametrize(
    "command", ["USE", "USE CATALOG", "USE CATALOG a b", "USE a b", "USE a.b.c", "USE a.", "USE ``"]
)
def test_a_use_that_names_nothing_is_refused_with_its_line(command: str) -> None:
    assert refused(f"\n{command};").message == "The USE on line 2 of the script names no catalog or database."


@pytest.mark.parametrize("word", ["SETTLED", "USED", "RESETS", "set_", "EXITS"])
def test_a_word_that_only_begins_like_a_command_is_none(word: str) -> None:
    assert texts(f"{word} 'a' = 'b';") == [f"{word} 'a' = 'b'"]


# secrets


def test_neither_text_nor_properties_show_in_a_statements_repr() -> None:
    script = "SET 'sql.secrets.key' = 'swordfish'; CREATE CONNECTION c WITH ('password' = 'swordfish');"

    (statement,) = split_script(script)

    assert statement.properties == {"sql.secrets.key": "swordfish"}
    assert "swordfish" not in repr(statement)


@pytest.mark.parametrize(
    "script", ["SET 'sql.secrets.key' 'swordfish';", "SET 'sql.secrets.key' = 'swordfish", "USE swordfish a;"]
)
def test_no_error_repeats_what_could_be_a_secret(script: str) -> None:
    assert "swordfish" not in str(refused(script))
