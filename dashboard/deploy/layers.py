"""Where the nodes of a directed graph stand, so that its edges run from left to right and cross little.

The usual four steps (Sugiyama's): columns by the longest path, lanes for edges that pass over columns, order within a
column by the mean of the neighbours, rows that keep long paths straight. Written here because nothing at hand does it:
networkx's multipartite layout neither orders nor keeps lanes, the Python ports of dot are not kept up, and Graphviz
itself, which Streamlit has in the browser, answers with a finished drawing: no part of it can be focused, and with each
change of state all of it is drawn anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_SWEEPS = 8
Link = tuple[str, str]
_Cell = tuple[str, str, int]
"""Of a node: its name, nothing, 0. Of an edge that passes over a column: both its ends and the column."""


@dataclass(frozen=True)
class Layout:
    """All of it deterministic: the same nodes and edges in the same order give the same places."""

    places: Mapping[str, tuple[int, int]]
    """Column and row of each node; no two share one, nor one with a lane."""
    lanes: Mapping[Link, tuple[int, ...]]
    """Of an edge: its row in each of the columns that it passes over, from left to right."""

    @property
    def rows(self) -> int:
        taken = [row for _, row in self.places.values()] + [row for lane in self.lanes.values() for row in lane]
        return max(taken, default=-1) + 1

    @property
    def crossings(self) -> int:
        """How often two edges cross."""
        pieces: dict[int, list[tuple[int, int]]] = {}
        for (source, sink), lane in self.lanes.items():
            column, row = self.places[source]
            rows = [row, *lane, self.places[sink][1]]
            for offset, piece in enumerate(pairwise(rows)):
                pieces.setdefault(column + offset, []).append(piece)
        return sum(
            (one[0] - other[0]) * (one[1] - other[1]) < 0
            for beside in pieces.values()
            for at, one in enumerate(beside)
            for other in beside[:at]
        )


def lay_out(nodes: Sequence[str], links: Iterable[Link], beside: Mapping[str, str]) -> Layout:
    """`beside`: of a node without edges, the one under which it stands. An edge that closes a circle gets no lane."""
    links = list(dict.fromkeys(links))
    column = _columns(nodes, links)
    forward = [link for link in links if column[link[0]] < column[link[1]]]
    linked = {end for link in forward for end in link}
    loose = [node for node in nodes if node not in linked]
    grid, before, after = _cells([node for node in nodes if node in linked], forward, column)
    grid = _ordered(grid, before, after)
    length = _lengths(grid, before, after)
    for node in loose:
        under = (beside.get(node, ""), "", 0)
        at = next((index for index, cells in enumerate(grid) if under in cells), 0)
        if not grid:
            grid.append([])
        grid[at].insert(grid[at].index(under) + 1 if under in grid[at] else len(grid[at]), (node, "", 0))
    row = _rows(grid, before, after, length)
    return Layout(
        {cell[0]: (index, row[cell]) for index, cells in enumerate(grid) for cell in cells if not cell[1]},
        {(a, b): tuple(row[a, b, at] for at in range(column[a] + 1, column[b])) for a, b in forward},
    )


def _columns(nodes: Sequence[str], links: Sequence[Link]) -> dict[str, int]:
    """Each after all it comes from; in a circle the first of `nodes` begins."""
    sources: dict[str, list[str]] = {node: [] for node in nodes}
    for source, sink in links:
        sources[sink].append(source)
    column: dict[str, int] = {}
    left = list(nodes)
    while left:
        waiting = set(left)
        free = [node for node in left if waiting.isdisjoint(sources[node])] or left[:1]
        for node in free:
            column[node] = max((column[one] + 1 for one in sources[node] if one in column), default=0)
        left = [node for node in left if node not in column]
    return column


_Neighbours = dict[_Cell, list[_Cell]]


def _cells(
    nodes: Sequence[str], links: Sequence[Link], column: Mapping[str, int]
) -> tuple[list[list[_Cell]], _Neighbours, _Neighbours]:
    """Columns of nodes and lanes, with the neighbours to the left and to the right of each."""
    grid: list[list[_Cell]] = [[] for _ in range(max((column[node] + 1 for node in nodes), default=0))]
    before: _Neighbours = {}
    after: _Neighbours = {}
    for node in nodes:
        grid[column[node]].append((node, "", 0))
    for source, sink in links:
        lane: list[_Cell] = [(source, sink, at) for at in range(column[source] + 1, column[sink])]
        for cell in lane:
            grid[cell[2]].append(cell)
        for left, right in pairwise([(source, "", 0), *lane, (sink, "", 0)]):
            after.setdefault(left, []).append(right)
            before.setdefault(right, []).append(left)
    return grid, before, after


def _ordered(grid: list[list[_Cell]], before: _Neighbours, after: _Neighbours) -> list[list[_Cell]]:
    best, fewest = grid, -1
    now = [list(cells) for cells in grid]
    for sweep in range(_SWEEPS):
        rightwards = sweep % 2 == 0
        for index in range(len(now)) if rightwards else reversed(range(len(now))):
            fixed = index - 1 if rightwards else index + 1
            place = {cell: at for at, cell in enumerate(now[fixed])} if 0 <= fixed < len(now) else {}
            now[index] = _by_mean(now[index], before if rightwards else after, place)
            _swap(now, index, before, after)
        crossings = sum(
            _crossed(one, other, after, {cell: at for at, cell in enumerate(right)})
            for left, right in pairwise(now)
            for at, other in enumerate(left)
            for one in left[:at]
        )
        if fewest < 0 or crossings < fewest:
            best, fewest = [list(cells) for cells in now], crossings
    return best


def _by_mean(cells: list[_Cell], neighbours: _Neighbours, place: Mapping[_Cell, int]) -> list[_Cell]:
    """By the mean place of its neighbours in the column beside it; one that has none there stays where it is."""

    def mean(at: int, cell: _Cell) -> float:
        places = [place[one] for one in neighbours.get(cell, ()) if one in place]
        return sum(places) / len(places) if places else at

    return [cell for _, _, cell in sorted((mean(at, cell), at, cell) for at, cell in enumerate(cells))]


def _swap(grid: list[list[_Cell]], index: int, before: _Neighbours, after: _Neighbours) -> None:
    """Exchanges two that follow each other as long as their edges cross less that way."""
    sides = [
        (neighbours, {cell: at for at, cell in enumerate(grid[beside])})
        for neighbours, beside in ((before, index - 1), (after, index + 1))
        if 0 <= beside < len(grid)
    ]
    cells = grid[index]
    for _ in cells:
        swapped = False
        for at in range(len(cells) - 1):
            upper, lower = cells[at], cells[at + 1]
            if sum(_crossed(upper, lower, *side) - _crossed(lower, upper, *side) for side in sides) > 0:
                cells[at], cells[at + 1], swapped = lower, upper, True
        if not swapped:
            return


def _crossed(upper: _Cell, lower: _Cell, neighbours: _Neighbours, place: Mapping[_Cell, int]) -> int:
    """How often their edges to one side cross when one stands above the other."""
    return sum(place[a] > place[b] for a in neighbours.get(upper, ()) for b in neighbours.get(lower, ()))


def _lengths(grid: list[list[_Cell]], before: _Neighbours, after: _Neighbours) -> dict[_Cell, int]:
    """How many nodes the longest path through each has: the longest of all is the one to keep straight."""
    to: dict[_Cell, int] = {}
    beyond: dict[_Cell, int] = {}
    for cells in grid:
        for cell in cells:
            to[cell] = max((to[one] for one in before.get(cell, ())), default=0) + (not cell[1])
    for cells in reversed(grid):
        for cell in cells:
            beyond[cell] = max((beyond[one] for one in after.get(cell, ())), default=0) + (not cell[1])
    return {cell: to[cell] + beyond[cell] for cell in to}


def _rows(
    grid: list[list[_Cell]], before: _Neighbours, after: _Neighbours, length: Mapping[_Cell, int]
) -> dict[_Cell, int]:
    """Each as near as its order allows to the row of the neighbour on the longest path; what is loose comes last."""
    row = {cell: at for cells in grid for at, cell in enumerate(cells)}
    rightwards, leftwards = (before, grid), (after, grid[::-1])
    for neighbours, columns in (rightwards, leftwards, rightwards, leftwards, rightwards):
        for cells in columns:
            wished = {}
            for at, cell in enumerate(cells):
                near = [(length[one], row[one]) for one in neighbours.get(cell, ())]
                if near:
                    longest = [place for count, place in near if count == max(near)[0]]
                    wished[cell] = sorted(longest)[(len(longest) - 1) // 2]
                elif cell not in length and at:
                    wished[cell] = row[cells[at - 1]] + 1
            by_weight = sorted(range(len(cells)), key=lambda at: (-length.get(cells[at], 0), at))
            placed: dict[int, int] = {}
            for at in by_weight:
                above = [placed[one] + at - one for one in placed if one < at]
                below = [placed[one] - (one - at) for one in placed if one > at]
                place = wished.get(cells[at], row[cells[at]])
                placed[at] = min([max([place, *above]), *below])
            row |= {cells[at]: place for at, place in placed.items()}
    used = {place: at for at, place in enumerate(sorted(set(row.values())))}
    return {cell: used[place] for cell, place in row.items()}
