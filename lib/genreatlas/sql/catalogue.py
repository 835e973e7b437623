"""Templates of the views: one SQL file each, with names of tables and views in double braces.

Views read only active rows of the tables songs, song_genres and clips: none that was retired or replaced
(:attr:`genreatlas.tables.Table.ended_by`). ``clips_all`` in braces is the whole table.

A file begins with comment lines, which are the view's comment. ``-- optional:`` lists tables that may be missing and
are then empty; all other names in braces must exist. ``-- for each: frame set`` creates one view per stored feature set
of that layout and replaces SET in the file's name; ``joined set`` creates one view per joined set.
``-- needs: summary sets`` requires at least one such set; ``feature sets`` are the sets of all layouts.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, meta

from genreatlas.sql.dialects import Dialect, empty
from genreatlas.sql.feature_sets import StoredSet
from genreatlas.tables import TABLES

_HEADER = re.compile(r"^-- (?:(optional|for each|needs): )?(.*)\n", re.MULTILINE)
#: Names in a template that are neither tables nor views.
_WORDS = {"set", "sets", "summary_sets", "split", "explode", "numbers_below", "at", "lookup"}
#: Value of ``for each`` for one view per joined set.
_JOINED = "joined set"
#: Suffix of a table's name for all its rows, including retired and replaced ones.
_ALL = "_all"
_TABLES = {table.name: table for table in TABLES}


@dataclass(frozen=True)
class Template:
    """An SQL file with its comment and the tables and views that it reads."""

    name: str
    comment: str
    body: str
    reads: tuple[str, ...]
    optional: tuple[str, ...]
    for_each: str = ""
    needs: str = ""


@dataclass(frozen=True)
class View:
    """A view of one store: comment, query, and the tables and views that it reads."""

    name: str
    comment: str
    query: str
    reads: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """The views that a store can have, each after the views that it reads.

    ``tables`` are the store's tables. ``skipped`` maps views that are left out to the missing tables.
    """

    tables: tuple[str, ...]
    views: tuple[View, ...]
    skipped: Mapping[str, tuple[str, ...]]

    @property
    def notes(self) -> tuple[str, ...]:
        """One line per view that was left out."""
        return tuple(f"left out: {name}, for lack of {', '.join(lacks)}" for name, lacks in self.skipped.items())

    def named_in(self, text: str) -> set[str]:
        """Tables and views that a statement may name, and all that these read: a superset, as names match as text."""
        text = text.lower()
        found = set()
        for view in reversed(self.views):  # a view comes after the views that it reads
            if view.name.lower() in text:
                found.add(view.name)
                text += view.query.lower()
        return found | {table for table in self.tables if table.lower() in text}


@cache
def templates() -> tuple[Template, ...]:
    """Templates of all views, each after the views that it reads."""
    found = {}
    for file in sorted(files("genreatlas.sql").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".sql"):
            template = _parse(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
            found[template.name] = template
    order: list[Template] = []
    waiting = list(found.values())
    while waiting:
        placed = {template.name for template in order}
        ready = [template for template in waiting if not _views_before(template, found) - placed]
        if not ready:
            raise ValueError(f"views depend on each other in a circle: {', '.join(t.name for t in waiting)}")
        order += ready
        waiting = [template for template in waiting if template not in ready]
    return tuple(order)


def plan(
    tables: Collection[str], sets: Sequence[StoredSet], split: str, dialect: Dialect, where: Callable[[str], str]
) -> Plan:
    """Generate the SQL of every view that a store with these tables can have.

    Parameters
    ----------
    tables : names of the tables that exist.
    sets : stored feature sets.
    split : name of the split that views use.
    dialect : SQL dialect of the views.
    where : function that returns the SQL name of a table or view.
    """
    there = set(tables)
    sets = [_named(one, where) for one in sets]
    single = [stored for stored in sets if not stored.members]
    views: list[View] = []
    skipped: dict[str, tuple[str, ...]] = {}
    for template in templates():
        lacks = [name for name in template.reads if name not in there and name not in template.optional]
        usable = _sets_for(template, sets)
        if template.needs and not usable:
            lacks.append(f"any {template.needs.removesuffix('s')}")
        if lacks:
            skipped[template.name] = tuple(lacks)
            continue
        whole = {n: where(n) if n in there else empty(_TABLES[n], dialect) for n in template.reads}
        names = {n: _live(n, text) if n in tables else text for n, text in whole.items()}
        names |= {f"{n}{_ALL}": text for n, text in whole.items()}
        for one in usable if template.for_each else [None]:
            words = names | {"set": one, "sets": single, "summary_sets": usable, "split": split}
            view = _render(template, one, words, dialect)
            views.append(view)
            there.add(view.name)
    return Plan(tuple(tables), tuple(views), skipped)


def _named(stored: StoredSet, where: Callable[[str], str]) -> StoredSet:
    """The set with SQL names of its table and view, or of its members' tables and views."""
    if stored.members:
        return replace(stored, members=tuple(_named(one, where) for one in stored.members))
    return replace(stored, table=where(stored.table_name), wide=where(f"wide_{stored.name}"))


def _live(name: str, relation: str) -> str:
    """Active rows of a stored table."""
    table = _TABLES.get(name)
    return f"(SELECT * FROM {relation} WHERE {table.live})" if table and table.ended_by else relation


def _views_before(template: Template, known: Mapping[str, Template]) -> set[str]:
    """Names of the views that a template reads. Views over several sets read the view of each set."""
    of_sets = {each.name for each in known.values() if each.for_each and each.for_each != _JOINED}
    of_sets = of_sets if template.needs or template.for_each == _JOINED else set()
    return (set(template.reads) & known.keys()) | of_sets


def _sets_for(template: Template, sets: Sequence[StoredSet]) -> list[StoredSet]:
    if template.for_each == _JOINED:
        return [stored for stored in sets if stored.members]
    word = (template.for_each or template.needs).split(" ")[0]
    mine = [stored for stored in sets if not stored.members and word in ("feature", stored.layout.word)]
    if template.needs and word != "feature":  # the view aggregates numeric features
        return [stored for stored in mine if stored.numeric]
    return mine


def _parse(name: str, text: str) -> Template:
    body = text
    comment, header = [], {}
    while match := _HEADER.match(body):
        if match[1]:
            header[match[1]] = match[2]
        else:
            comment.append(match[2])
        body = body[match.end() :]
    words = meta.find_undeclared_variables(_environment(None).parse(body)) - _WORDS
    words = {word.removesuffix(_ALL) for word in words}
    optional = tuple(header["optional"].split(", ")) if "optional" in header else ()
    return Template(
        name=name,
        comment=" ".join(comment),
        body=body,
        reads=tuple(sorted(words)),
        optional=optional,
        for_each=header.get("for each", ""),
        needs=header.get("needs", ""),
    )


def _render(template: Template, one: StoredSet | None, words: Mapping[str, object], dialect: Dialect) -> View:
    environment = _environment(dialect)
    name = template.name.replace("SET", one.part_of_view if one else "")
    reads = tuple(sorted({*template.reads, *(one.table_names if one else ())}))
    query = environment.from_string(template.body).render(words)
    comment = environment.from_string(template.comment).render(words)
    return View(name, comment, re.sub(r"\n\s*\n", "\n", query).strip(), reads)


def _environment(dialect: Dialect | None) -> Environment:
    environment = Environment(undefined=StrictUndefined, autoescape=False)
    environment.filters |= {"name": getattr(dialect, "name", str), "literal": getattr(dialect, "literal", str)}
    if dialect is not None:
        environment.globals |= {word: getattr(dialect, word) for word in ("explode", "numbers_below", "at", "lookup")}
    return environment
