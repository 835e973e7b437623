"""The data dictionary: every table, column and view, and their relations; ``python -m genreatlas.dictionary``.

docs/data_dictionary.md is this module's output (``make docs``); a test fails when the file is outdated.
"""

import importlib
import re
from collections.abc import Iterable, Iterator

from genreatlas.audio.feature_sets import FEATURE_SETS, table_of
from genreatlas.audio.layouts import LAYOUTS
from genreatlas.cli import STEPS
from genreatlas.sql.catalogue import Template, templates
from genreatlas.tables import TABLES, Table

_FAMILIES = {
    "library": "Library",
    "features": "Features",
    "modelling": "Splits, models and evaluation",
    "operations": "Operations",
}
#: Tables left out of the pipeline diagram: every step writes them, and their arrows would hide the rest.
_ASIDE = {"runs", "quarantine"}


def main() -> None:
    """Print the page."""
    print(page(), end="")


def page() -> str:
    """The whole page as Markdown."""
    blocks = [
        "# Data dictionary",
        "<!-- Printed by python -m genreatlas.dictionary (make docs); change lib/genreatlas/tables or sql instead. -->",
        "Every table is a Delta table: below a path it is the folder `<store.path>/<name>`, in a catalog "
        "`<catalog>.<schema>.<name>`. **Bold** columns form the key, *italic* columns may be NULL, and † marks columns "
        "whose values may differ between two runs over the same input. Units are in brackets. "
        "`DESCRIBE TABLE EXTENDED` shows the same descriptions.",
        "## The pipeline",
        "Tables that each step reads and writes. Every step also writes a row to `runs`, and inputs that cannot be "
        "used to `quarantine`.",
        _mermaid(_pipeline()),
        "## The tables",
        "References between tables: a line connects two tables if one has the other's key among its columns.",
        _mermaid(_relations()),
    ]
    for family, heading in _FAMILIES.items():
        blocks.append(f"## {heading}")
        blocks += [_described(table) for table in _tables() if table.family == family]
    blocks += [
        "## Views",
        "Views are stored in a catalog beside the tables; below a path they exist in a session: [sql.md](sql.md).",
    ]
    blocks.append(_views())
    return "\n\n".join(blocks) + "\n"


def _tables() -> list[Table]:
    return [*TABLES, *(table_of(feature_set) for feature_set in FEATURE_SETS.values())]


def _mermaid(lines: Iterator[str]) -> str:
    return "\n".join(["```mermaid", *lines, "```"])


def _pipeline() -> Iterator[str]:
    """Flowchart of steps (boxes) and tables (cylinders; tables with the same writers share one cylinder)."""
    steps = {name: importlib.import_module(f"genreatlas.steps.{name}") for name in STEPS}
    writers: dict[str, tuple[str, ...]] = {}
    for name, step in steps.items():
        for table in _shown(step.WRITES):
            writers[table] = (*writers.get(table, ()), name)
    together: dict[tuple[str, ...], list[str]] = {}
    for table in sorted(writers, key=lambda table: (STEPS.index(writers[table][0]), table)):
        together.setdefault(writers[table], []).append(table)
    node = {table: f"tables{n}" for n, group in enumerate(together.values()) for table in group}
    yield "flowchart LR"
    for n, group in enumerate(together.values()):
        yield f'  tables{n}[("{"<br/>".join(group)}")]'
    for name, step in steps.items():
        reads, writes = (
            sorted({node[t] for t in _shown(tables) & node.keys()}) for tables in (step.READS, step.WRITES)
        )
        if reads or writes:
            yield f"  {name}[{name}]"
        # A step reads its own tables only to find pending work, which is no data flow.
        yield from (f"  {table} --> {name}" for table in reads if table not in writes)
        yield from (f"  {name} --> {table}" for table in writes)


def _shown(tables: Iterable[str]) -> set[str]:
    """Names of a step's tables, with one name for all feature sets and without :data:`_ASIDE`."""
    return {re.sub(r"<\w+>", "SET", table) for table in tables} - _ASIDE


def _relations() -> Iterator[str]:
    """Entity-relationship diagram: a line where a table has another table's single-column key as a column."""
    yield "erDiagram"
    tables = [table for table in _tables() if table.family != "operations"]
    owners = {table.key[0]: table.name for table in tables if len(table.key) == 1 and table.name not in _SECOND_OWNERS}
    for table in tables:
        for name in sorted(set(table.column_names) & owners.keys()):
            if owners[name] != table.name:
                many = "||--o|" if table.key == (name,) else "||--o{"
                yield f"  {owners[name]} {many} {table.name} : {name}"


#: Tables whose single-column key identifies rows of another table.
_SECOND_OWNERS = {"genre_parents"}


def _described(table: Table) -> str:
    history = " Old versions are kept so that training can be repeated." if table.history else ""
    lines = [
        f"### {table.name}",
        "",
        f"{table.full_comment}{history}",
        "",
        "| column | type | |",
        "|---|---|---|",
    ]
    for column in table.columns:
        name = f"`{column.name}`"
        name = f"**{name}**" if column.name in table.key else name if column.name in table.required else f"*{name}*"
        lines.append(f"| {name}{'†' if column.volatile else ''} | `{column.type}` | {_cell(column.full_comment)} |")
    return "\n".join(lines)


def _views() -> str:
    lines = ["| view | | reads |", "|---|---|---|"]
    for template in sorted(templates(), key=lambda template: template.name):
        name = template.name.replace("SET", "<set>")
        named = "a combination such as groove+summary9" if template.for_each == "joined set" else "the set"
        text = re.sub(r"\{\{ set\.name \}\}", named, template.comment)
        text = re.sub(r"\{\{ split \}\}", "`[splits] name`", text)
        lines.append(f"| `{name}` | {_cell(text)} | {', '.join(f'`{read}`' for read in _reads(template))} |")
    return "\n".join(lines)


def _reads(template: Template) -> list[str]:
    sets = {f"{layout.word} set": layout.table_name("<set>") for layout in LAYOUTS.values()}
    every = ", ".join(dict.fromkeys(sets.values()))
    sets |= {"summary sets": "wide_<set>", "joined set": "wide_<set>, vectors_<set>"}
    word = template.for_each or template.needs
    return [*template.reads, *([sets.get(word, every)] if word else [])]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    main()
