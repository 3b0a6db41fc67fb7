from itertools import pairwise

import pytest

from dashboard.deploy.layers import Layout, lay_out


def of(*links: str) -> Layout:
    pairs = [(link[0], link[1]) for link in links]
    return lay_out(sorted({end for pair in pairs for end in pair}), pairs, {})


def test_a_node_stands_after_everything_it_comes_from() -> None:
    assert {name: column for name, (column, _) in of("ab", "bc", "ad", "dc", "ac", "de").places.items()} == {
        "a": 0,
        "b": 1,
        "c": 2,
        "d": 1,
        "e": 2,
    }


def test_the_longest_path_is_straight() -> None:
    layout = of("ab", "bc", "cd", "ax", "cy")
    assert len({layout.places[name][1] for name in "abcd"}) == 1


def test_an_edge_over_columns_has_a_lane_in_which_no_node_stands() -> None:
    layout = of("ab", "bc", "cd", "ad")
    lane = layout.lanes["a", "d"]
    assert len(lane) == 2
    assert not {(1, lane[0]), (2, lane[1])} & set(layout.places.values())
    assert len(set(lane)) == 1, "it is straight"


def test_edges_that_need_not_cross_do_not() -> None:
    assert of("ax", "bw", "cv", "xk", "wj", "vi").crossings == 0
    assert of("ab", "bc", "cd", "at", "bu", "cv", "xd", "xy").crossings == 0


def test_edges_that_have_to_cross_are_counted() -> None:
    assert of("ax", "ay", "bx", "by").crossings == 1
    assert of("ax", "ay", "az", "bx", "by", "bz", "cx", "cy", "cz").crossings == 9


@pytest.mark.parametrize("links", [("ab", "ba"), ("aa",), ("ab", "bc", "ca", "cd"), ("xa", "ab", "ba", "bx")])
def test_a_circle_is_laid_out_all_the_same(links: tuple[str, ...]) -> None:
    layout = of(*links)
    assert len(set(layout.places.values())) == len(layout.places) == len({end for link in links for end in link})


def test_a_node_without_edges_stands_under_the_one_it_belongs_to_and_otherwise_below_the_first_column() -> None:
    layout = lay_out(["loose", "beside", "a", "b", "c"], [("a", "c"), ("b", "c")], {"beside": "a"})
    assert layout.places["beside"] == (0, layout.places["a"][1] + 1)
    assert layout.places["loose"] == (0, max(row for column, row in layout.places.values() if column == 0))


@pytest.mark.parametrize("nodes", [[], ["a"], ["a", "b"]])
def test_nothing_and_nodes_alone_have_places_too(nodes: list[str]) -> None:
    layout = lay_out(nodes, [], {})
    assert layout.places == {name: (0, at) for at, name in enumerate(nodes)}
    assert layout.rows == len(nodes)


def test_many_nodes_share_no_place_and_come_out_the_same_again() -> None:
    nodes = [f"n{number}" for number in range(60)]
    links = [
        (nodes[number], nodes[number + 1 + step]) for step in (0, 4, 9) for number in range(0, 50 - step, 1 + step)
    ]
    layout = lay_out(nodes, links, {})
    lanes = [
        (layout.places[source][0] + 1 + at, row)
        for (source, _), lane in layout.lanes.items()
        for at, row in enumerate(lane)
    ]
    taken = [*layout.places.values(), *lanes]
    assert len(set(taken)) == len(taken)
    assert all(layout.places[source][0] < layout.places[sink][0] for source, sink in links)
    assert lay_out(nodes, links, {}) == layout
    rows = sorted({row for _, row in taken})
    assert all(lower - upper == 1 for upper, lower in pairwise(rows)), "no row is empty"
