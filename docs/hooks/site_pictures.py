"""Flow charts of documents, drawn as SVG while the site is built, without a script that browsers would have to fetch.

What is read is the part of Mermaid's language that documents use: `flowchart TD`, nodes `name["words"]`,
`name[("words")]` (what lies on a disk) and `name(["words"])` (where somebody begins), and chains of them by `-->` or
`---`.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from html import escape
from typing import Any

BOX_WIDTH, GAP, LINE, LETTERS, PAD = 148, 18, 15, 20, 9
#: between two rows, where the edges pass
ROW_GAP = 44
NODE = re.compile(r'(\w+)(?:(\(\[|\[\(|\[)"(.*?)"(?:\]\)|\)\]|\]))?')


@dataclass
class Chart:
    """Words and form of each node by its name, and the edges: from, to, whether with a head."""

    words: dict[str, str] = field(default_factory=dict)
    forms: dict[str, str] = field(default_factory=dict)
    edges: list[tuple[str, str, bool]] = field(default_factory=list)


def draw_flowchart(source: str, *_: Any, **__: Any) -> str:
    """A fence ```mermaid as SVG, in the colours of the page."""
    chart = read_chart(source)
    rows = order_rows(chart)
    places, heights = _place(rows, chart)
    width = max(len(row) for row in rows) * (BOX_WIDTH + GAP)
    height = sum(heights) + ROW_GAP * (len(rows) - 1) + 2
    edges = "".join(_draw_edge(places, edge) for edge in chart.edges)
    boxes = "".join(_draw_box(places[name], chart.forms[name], chart.words[name]) for name in chart.words)
    head = '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    head += '<path d="M0 0 8 4 0 8z"/></marker>'
    return (
        f'<div class="flowchart"><svg viewBox="0 0 {width} {height}" role="img" style="max-width:{width}px">'
        f"<defs>{head}</defs>{edges}{boxes}</svg></div>"
    )


def read_chart(source: str) -> Chart:
    """The nodes and edges of a chart.

    Raises:
        ValueError: a line is none that is understood.
    """
    chart = Chart()
    for line in source.splitlines()[1:]:
        ends = re.split(r"\s*(-->|---)\s*", line.strip())
        nodes = [NODE.fullmatch(end) for end in ends[::2]]
        if not all(nodes):
            raise ValueError(f"flow chart: {line.strip()!r}: expected nodes, and --> or --- between them")
        for node in nodes:
            if node[3] is not None:
                chart.words[node[1]], chart.forms[node[1]] = node[3], node[2]
        for first, kind, second in zip(nodes, ends[1::2], nodes[1:], strict=False):
            chart.edges.append((first[1], second[1], kind == "-->"))
    return chart


def order_rows(chart: Chart) -> list[list[str]]:
    """Rows of nodes from the top, each below those that lead to it but for what leads back; few edges cross."""
    rank = dict.fromkeys(chart.words, 0)
    forward = _without_ways_back(chart)
    for _ in rank:
        for first, second in forward:
            rank[second] = max(rank[second], rank[first] + 1)
    # What begins something stands right above it.
    for name in rank:
        below = [rank[second] for first, second in forward if first == name]
        if below and not any(second == name for _, second in forward):
            rank[name] = min(below) - 1
    rows = [[name for name in rank if rank[name] == number] for number in range(max(rank.values()) + 1)]
    for _ in range(8):
        for sweep in (rows, rows[::-1]):
            for before, row in zip(sweep, sweep[1:], strict=False):
                middle = {name: number - len(before) / 2 for number, name in enumerate(before)}
                own = {name: number - len(row) / 2 for number, name in enumerate(row)}
                row.sort(key=lambda name, middle=middle, own=own: _mean_of_neighbours(name, forward, middle, own[name]))
    return rows


def _mean_of_neighbours(name: str, edges: list[tuple[str, str]], middle: dict[str, float], otherwise: float) -> float:
    near = [middle[b if a == name else a] for a, b in edges if name in (a, b) and (b if a == name else a) in middle]
    return sum(near) / len(near) if near else otherwise


def _without_ways_back(chart: Chart) -> list[tuple[str, str]]:
    """The edges, in order, that close no circle with those before them."""
    kept: list[tuple[str, str]] = []
    for first, second, _ in chart.edges:
        reached, waiting = {second}, [second]
        while waiting:
            now = waiting.pop()
            new = {b for a, b in kept if a == now} - reached
            reached |= new
            waiting += new
        if first not in reached:
            kept.append((first, second))
    return kept


def _place(rows: list[list[str]], chart: Chart) -> tuple[dict[str, tuple[float, float, int]], list[int]]:
    """By node its left edge, its upper edge and its height; and the height of each row."""
    widest, top, places, heights = max(map(len, rows)), 1.0, {}, []
    for row in rows:
        sizes = {name: len(_lines(chart.words[name])) * LINE + 2 * PAD for name in row}
        left = (widest - len(row)) * (BOX_WIDTH + GAP) / 2 + GAP / 2
        for number, name in enumerate(row):
            places[name] = (left + number * (BOX_WIDTH + GAP), top, sizes[name])
        heights.append(max(sizes.values()))
        top += heights[-1] + ROW_GAP
    return places, heights


def _lines(words: str) -> list[str]:
    return textwrap.wrap(words, LETTERS, break_long_words=False)


def _draw_box(place: tuple[float, float, int], form: str, words: str) -> str:
    left, top, height = place
    kind = {"[(": "disk", "([": "door", "[": "part"}[form]
    round_by = 16 if kind == "door" else 3
    lines = "".join(
        f'<text x="{left + BOX_WIDTH / 2}" y="{top + PAD + LINE * (number + 0.75)}">{escape(line)}</text>'
        for number, line in enumerate(_lines(words))
    )
    box = f'<rect x="{left}" y="{top}" width="{BOX_WIDTH}" height="{height}" rx="{round_by}"/>'
    return f'<g class="{kind}">{box}{lines}</g>'


def _draw_edge(places: dict[str, tuple[float, float, int]], edge: tuple[str, str, bool]) -> str:
    """A curve from the lower edge of a box to the upper edge of one below it, or from side to side."""
    (x, y, height), (to_x, to_y, to_height) = places[edge[0]], places[edge[1]]
    head = ' marker-end="url(#head)"' if edge[2] else ""
    middle = BOX_WIDTH / 2
    if to_y > y:
        start, end, bend = (x + middle, y + height), (to_x + middle, to_y), (to_y - y - height) / 2
        curve = f"C{start[0]} {start[1] + bend} {end[0]} {end[1] - bend} {end[0]} {end[1]}"
    else:
        side = 1 if to_x >= x else -1
        start = (x + middle + side * middle, y + height / 2)
        end = (to_x + middle + (side if y > to_y else -side) * middle, to_y + to_height / 2)
        bend = side * 2 * GAP
        curve = f"C{start[0] + bend} {start[1]} {end[0] + bend} {end[1]} {end[0]} {end[1]}"
    return f'<path class="edge" d="M{start[0]} {start[1]}{curve}"{head}/>'
