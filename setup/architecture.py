"""Draws docs/architecture.svg and the tables of docs/architecture.md from the code's own imports.

``python setup/architecture.py`` writes both; with ``--check`` it writes nothing and exits 1 if they
are not what the code gives.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

import grimp

ROOT: Final = Path(__file__).parents[1]
PACKAGES: Final = ("foundation", "analysis", "workloads", "harness", "android_tests")
PAGE: Final = ROOT / "docs" / "architecture.md"
PICTURE: Final = ROOT / "docs" / "architecture.svg"
_BEGIN: Final = "<!-- written by setup/architecture.py: {} -->"
_END: Final = "<!-- end -->"

Graph = Mapping[str, frozenset[str]]


def room_of(module: str) -> str:
    """The room of a module: a folder of the second level, or of the first where there is none."""
    parts = module.split(".")
    is_folder = len(parts) > 1 and (ROOT / parts[0] / parts[1]).is_dir()
    return ".".join(parts[:2]) if is_folder else parts[0]


def read_graph() -> Graph:
    """Room -> the rooms that its modules import."""
    sys.path.insert(0, str(ROOT))
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    rooms: dict[str, set[str]] = {}
    for module in sorted(graph.modules):
        found = rooms.setdefault(room_of(module), set())
        found |= {room_of(other) for other in graph.find_modules_directly_imported_by(module)}
    # A package that only holds its rooms is none itself.
    used = {other for others in rooms.values() for other in others}
    return {
        room: frozenset(others - {room}) for room, others in sorted(rooms.items()) if others or room in used
    }


def purpose(room: str) -> str:
    """First sentence of the room's docstring."""
    text = (ROOT / room.replace(".", "/") / "__init__.py").read_text(encoding="utf-8")
    first = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0]
    return " ".join(first.split())


def floors(graph: Graph) -> dict[str, int]:
    """How far each room is above the ground: one more than the highest room that it imports."""
    known: dict[str, int] = {}

    def floor(room: str, above: tuple[str, ...] = ()) -> int:
        if room in above:
            raise SystemExit(f"rooms import each other in a circle: {' -> '.join((*above, room))}")
        if room not in known:
            known[room] = 1 + max((floor(other, (*above, room)) for other in graph[room]), default=-1)
        return known[room]

    for room in graph:
        floor(room)
    # As near to those that import it as can be: short arrows. The foundation stays the ground.
    for room in sorted(graph, key=lambda one: -known[one]):
        users = [known[other] for other, imported in graph.items() if room in imported]
        if users and not room.startswith("foundation"):
            known[room] = min(users) - 1
    return known


def direct(graph: Graph) -> Graph:
    """The arrows without those that a longer way implies: what the picture shows."""

    def reach(room: str) -> set[str]:
        return {room}.union(*(reach(other) for other in graph[room]))

    return {
        room: frozenset(
            other for other in others if not any(other in reach(between) for between in others - {other})
        )
        for room, others in graph.items()
    }


_WIDTH, _BOX_W, _BOX_H, _GAP_X, _GAP_Y, _MARGIN = 1260, 176, 34, 20, 50, 20
#: What each half of the picture is centred on.
_CENTRES: Final = {"analysis": 408, "between": 800, "harness": 1040}
_COLOURS: Final = {
    "foundation": "#dfe8e2",
    "analysis": "#f3dfe1",
    "workloads": "#e4f0dc",
    "harness": "#dce7f3",
    "android_tests": "#f3ead6",
}


def picture(graph: Graph) -> str:
    """The rooms as boxes, each above what it imports."""
    level = floors(graph)
    top = max(level.values())
    place: dict[str, tuple[float, float]] = {}
    for number in range(top + 1):
        y = _MARGIN + (top - number) * (_BOX_H + _GAP_Y)
        for side, centre in _CENTRES.items():
            row = sorted(room for room in graph if level[room] == number and _side(room) == side)
            left = centre - (len(row) * (_BOX_W + _GAP_X) - _GAP_X) / 2
            for index, room in enumerate(row):
                place[room] = (left + index * (_BOX_W + _GAP_X), y)
    height = 2 * _MARGIN + top * (_BOX_H + _GAP_Y) + _BOX_H
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
        ' font-family="sans-serif" font-size="13">',
        "<title>The rooms of the suite; an arrow points to what a room imports</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
        ' orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#555"/></marker></defs>',
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        *_arrows(direct(graph), place),
        *_boxes(graph, place),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _side(room: str) -> str:
    package = room.partition(".")[0]
    if package == "foundation":
        return "between"
    return "analysis" if package == "analysis" else "harness"


def _arrows(graph: Graph, place: Mapping[str, tuple[float, float]]) -> Iterator[str]:
    for room, others in graph.items():
        x, y = place[room]
        for other in sorted(others):
            to_x, to_y = place[other]
            begin = (x + _BOX_W / 2, y + _BOX_H)
            end = (to_x + _BOX_W / 2, to_y)
            bend = (end[1] - begin[1]) / 2
            yield (
                f'<path d="M{begin[0]:.0f} {begin[1]:.0f} C{begin[0]:.0f} {begin[1] + bend:.0f}'
                f' {end[0]:.0f} {end[1] - bend:.0f} {end[0]:.0f} {end[1]:.0f}"'
                ' fill="none" stroke="#777" marker-end="url(#tip)"/>'
            )


def _boxes(graph: Graph, place: Mapping[str, tuple[float, float]]) -> Iterator[str]:
    for room in graph:
        x, y = place[room]
        package, _, folder = room.partition(".")
        yield (
            f'<rect x="{x:.0f}" y="{y:.0f}" width="{_BOX_W}" height="{_BOX_H}" rx="4"'
            f' fill="{_COLOURS[package]}" stroke="#555"><title>{escape(purpose(room))}</title></rect>'
        )
        label = f"{package}/{folder}" if folder else f"{package}/"
        yield f'<text x="{x + _BOX_W / 2:.0f}" y="{y + 21:.0f}" text-anchor="middle">{label}</text>'


def rooms_table(graph: Graph) -> str:
    """Markdown: each room, what it is for, what it imports; from the top floor down."""
    level = floors(graph)
    rows = ["| room | what it is for | imports |", "|---|---|---|"]
    for room in sorted(graph, key=lambda one: (-level[one], one)):
        others = ", ".join(f"`{other.replace('.', '/')}`" for other in sorted(graph[room])) or "nothing"
        rows.append(f"| `{room.replace('.', '/')}` | {purpose(room)} | {others} |")
    return "\n".join(rows)


def _files() -> dict[str, str]:
    """Constant -> file name, of the results folder."""
    contract = ROOT / "foundation" / "contract"
    nodes = [
        node
        for module in ("records.py", "results.py")
        for node in ast.parse((contract / module).read_text(encoding="utf-8")).body
    ]
    found = {}
    for node in nodes:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(file))):
                if name.endswith("_FILE"):
                    found[name] = file
    return found


def files_table() -> str:
    """Markdown: each file of a results folder, and the modules of either side that name it."""
    users: dict[str, dict[str, list[str]]] = {}
    for package in ("harness", "foundation", "analysis"):
        for path in sorted((ROOT / package).rglob("*.py")):
            names = {
                node.id
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.Name)
            }
            for constant in _files().keys() & names:
                module = path.relative_to(ROOT).with_suffix("").as_posix()
                users.setdefault(constant, {}).setdefault(package, []).append(f"`{module}`")
    rows = ["| file | in the harness | in the contract | in the analysis |", "|---|---|---|---|"]
    for constant, name in _files().items():
        sides = users.get(constant, {})
        cells = [
            ", ".join(sides.get(package, [])) or "none" for package in ("harness", "foundation", "analysis")
        ]
        rows.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(rows)


def filled(page: str, graph: Graph) -> str:
    """``page`` with the text between its marks written again."""
    for name, text in (("rooms", rooms_table(graph)), ("files", files_table())):
        head, begin, rest = page.partition(_BEGIN.format(name))
        _, end, tail = rest.partition(_END)
        if not (begin and end):
            raise SystemExit(f"{PAGE} has no place for {name}")
        page = f"{head}{begin}\n{text}\n{end}{tail}"
    return page


def main(words: list[str]) -> int:
    """0: written, or as it should be; 1: ``--check`` found a difference."""
    graph = read_graph()
    wanted = {PICTURE: picture(graph), PAGE: filled(PAGE.read_text(encoding="utf-8"), graph)}
    if words == ["--check"]:
        stale = [path for path, text in wanted.items() if path.read_text(encoding="utf-8") != text]
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what the code gives -> python setup/architecture.py")
        return bool(stale)
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
