"""Texts compared for people."""

from dashboard.deploy.differences import differences


def test_what_goes_and_what_comes_stand_with_what_is_around_them() -> None:
    before = "SELECT\n    a,\n    b\nFROM orders\nWHERE a > 1\nAND b > 2\nAND c > 3"
    assert differences(before, before.replace("a > 1", "a > 10")) == [
        "@@ -2,6 +2,6 @@",
        "     a,",
        "     b",
        " FROM orders",
        "-WHERE a > 1",
        "+WHERE a > 10",
        " AND b > 2",
        " AND c > 3",
    ]


def test_equal_texts_differ_in_no_line() -> None:
    assert differences("SELECT 1;\n", "SELECT 1;") == []


def test_against_nothing_every_line_is_new() -> None:
    assert differences("", "a\nb") == ["@@ -0,0 +1,2 @@", "+a", "+b"]
