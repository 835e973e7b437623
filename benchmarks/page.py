"""Print results as a table, and write them to ``docs/performance.md`` between two markers."""

import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

_BEGIN, _END = "<!-- figures: begin (written by make bench) -->", "<!-- figures: end -->"


def replace_figures(page: Path, begin: str, lines: Iterable[str]) -> None:
    """Replace the lines between a marker of a page and the end marker after it."""
    before, rest = page.read_text(encoding="utf-8").split(begin)
    page.write_text("\n".join((before + begin, *lines, _END + rest.split(_END)[1])), encoding="utf-8")


def machine_line() -> str:
    """Line with processor, cores, and versions of Python and the numerical libraries."""
    from genreatlas.provenance import git_commit, versions

    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        processor = f"{len(names)} x {names[0]}" if names else processor
    found = versions()
    libraries = ", ".join(f"{name} {found[name]}" for name in ("python", "numpy", "scipy", "numba", "librosa", "soxr"))
    commit = (git_commit() or "unknown")[:8]
    return f"{processor}; {platform.system()}; {libraries}; commit {commit}; {datetime.now(UTC):%Y-%m-%d}"


def rows_of(results: list[dict]) -> list[tuple[str, ...]]:
    """Cells of the table: key, value, quartiles, required value, time of both programs, number of clips, note."""
    return [
        (
            row["key"],
            _number(row["value"], row["unit"]),
            f"{row['spread'][0]:.3g} to {row['spread'][1]:.3g}" if row["spread"] else "",
            "" if row["bar"] is None else f"{row['sense']} {row['bar']:g}{'' if row['met'] else ' (missed)'}",
            _seconds(row["theirs"]),
            _seconds(row["ours"]),
            str(row["n"] or ""),
            row["note"],
        )
        for row in results
    ]


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "absent"
    return f"{value:.6g} {unit}" if unit.startswith("%") else f"{value:.3g} {unit}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{1000 * value:.1f} ms" if value < 10 else f"{value:.1f} s"


_HEAD = ("figure", "value", "quartiles", "target", "theirs", "ours", "n", "")


def print_table(results: list[dict]) -> None:
    """Print the results of a group."""
    rows = [_HEAD, *rows_of(results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD) - 1)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)), flush=True)


def write_page(whole: dict, page: Path) -> None:
    """Replace the text between the markers of the page."""
    rows = [_HEAD, ("---",) * len(_HEAD), *rows_of(list(whole["results"].values()))]
    replace_figures(page, _BEGIN, [whole["machine"], "", *(f"| {' | '.join(row)} |" for row in rows)])
