"""Check whether a statement has the same meaning in DuckDB and in Spark, using DuckDB's parser.

Some SQL is valid in both engines with different results: ``array[0]``, ``log(x)``, ``concat`` of a NULL,
``regexp_replace``, ``CAST(1.5 AS INT)``, ``"text"``. So a statement is common only if every node of its syntax tree and
every function in it is on a list of those with the same meaning, including NULLs and their order; all other statements
are left to Spark. Three differences are accepted: default names of columns (``count_star()``, ``count(1)``), quotients
of decimals, which are floats in DuckDB, and division by zero, which is NULL in DuckDB and an error in Spark.
"""

import json
import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from genreatlas.values import JsonObject, Row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: Common functions and operators, by the names in DuckDB's syntax tree.
_FUNCTIONS = frozenset(
    """
    count count_star count_if sum avg mean min max bool_and bool_or median quantile_cont percentile_cont
    stddev stddev_samp stddev_pop variance var_samp var_pop
    row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value
    abs round sqrt exp ln log10 log2 pow power greatest least nullif ifnull isnan
    lower upper length trim ltrim rtrim translate year month day
    + - * / % || ~~ !~~ ~~* !~~*
    """.split()  # noqa: SIM905
)
#: Types with the same casts. Casts to integers differ: Spark truncates, DuckDB rounds.
_CASTS = frozenset({"DOUBLE", "FLOAT", "DATE", "TIMESTAMP", "BOOLEAN"})
#: Common classes of expressions; below, common types of the class OPERATOR.
_CLASSES = frozenset({
    "COLUMN_REF", "CONSTANT", "COMPARISON", "CONJUNCTION", "BETWEEN", "CASE", "SUBQUERY", "STAR", "FUNCTION", "WINDOW",
    "OPERATOR", "CAST", "TYPE",
})  # fmt: skip
_OPERATORS = frozenset({
    "COMPARE_IN", "COMPARE_NOT_IN", "OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "OPERATOR_COALESCE",
    "OPERATOR_NULLIF",
})  # fmt: skip
#: Common nodes of queries, relations and modifiers.
_NODES = frozenset({
    "SELECT_NODE", "SET_OPERATION_NODE", "BASE_TABLE", "JOIN", "SUBQUERY", "EXPRESSION_LIST", "EMPTY", "ORDER_MODIFIER",
    "LIMIT_MODIFIER", "DISTINCT_MODIFIER", "ORDER_DEFAULT", "ASCENDING", "DESCENDING",
})  # fmt: skip
_JOINS = frozenset({"INNER", "LEFT", "RIGHT", "FULL", "OUTER"})
_JOIN_KINDS = frozenset({"REGULAR", "NATURAL", "CROSS"})
#: Parts of nodes that do not exist in Spark or have another meaning.
_PARTS = frozenset({
    "qualify", "sample", "distinct_on_targets", "exclude_list", "replace_list", "rename_list", "columns", "expr",
    "at_clause", "recursive",
})  # fmt: skip
_NO_EXCLUSION = "NO_OTHER"
#: Strings and comments, which are ignored by the checks of the text.
_TEXT = re.compile(r"'(?:[^']|'')*'")
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
#: A number followed by a letter is a typed literal in Spark (``2L``), and a number with an alias in DuckDB.
_TYPED = re.compile(r"(?<![\w.])\d[\d.]*(?![eE][+-]?\d+(?![\w.]))[A-Za-z_]\w*")


def difference(connection: "DuckDBPyConnection", statement: str) -> str:
    """First part of a statement that may have another meaning in Spark than in DuckDB, in words; empty if none has.

    Parameters
    ----------
    connection : used for its parser; the statement is not run.
    """
    bare = _COMMENT.sub(" ", _TEXT.sub("''", statement))
    for sign in '"`\\$@#{[':
        if sign in statement if sign == "\\" else sign in bare:
            return f"{sign} is read differently by DuckDB"
    if found := _TYPED.search(bare):
        return f"the number {found[0]} is read differently by DuckDB"
    tree = parsed(connection, statement)
    if tree is None:
        return "DuckDB cannot parse it"
    for node in _nodes(tree):
        if said := _odd(node):
            return said
    return ""


def parsed(connection: "DuckDBPyConnection", statement: str) -> Any:
    """The syntax tree of a single query; None for other statements."""
    row = connection.execute(
        "SELECT json_serialize_sql(?, skip_null := true, skip_empty := true)", [statement]
    ).fetchone()
    found: Row = json.loads(row[0]) if row else {"error": True}
    return None if found.get("error") or len(found["statements"]) != 1 else found["statements"][0]


def unknown_relation(tree: Any, known: Collection[str]) -> str:
    """The first relation in a syntax tree that is neither known nor a common table expression; empty if none."""
    nodes = list(_nodes(tree))
    names = {name.lower() for name in known}
    for node in nodes:
        if isinstance(node.get("cte_map"), dict):
            names |= {entry["key"].lower() for entry in node["cte_map"].get("map", ())}
    for node in nodes:
        if node.get("type") == "BASE_TABLE" and str(node.get("table_name", "")).lower() not in names:
            return str(node.get("table_name", ""))
    return ""


def _nodes(tree: Any) -> Iterator[JsonObject]:
    waiting = [tree]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _odd(node: dict[str, object]) -> str:
    """Part of a node that is not on the lists, in words; empty if all are."""
    kind, expression = node.get("type"), node.get("class")
    if parts := sorted(part for part in _PARTS & node.keys() if node[part]):
        return f"{parts[0]} is not in both dialects"
    if node.get("exclude_clause", _NO_EXCLUSION) != _NO_EXCLUSION:
        return "a window that excludes rows is not in both dialects"
    if expression is not None:
        if expression not in _CLASSES or (expression == "OPERATOR" and kind not in _OPERATORS):
            return f"{str(kind).lower()} is not common SQL"
    elif isinstance(kind, str) and kind not in _NODES:
        return f"{kind.lower()} is not common SQL"
    name = node.get("function_name")
    if name is not None and str(name).lower() not in _FUNCTIONS:
        return f"the function {name} may mean something else in DuckDB"
    if expression == "TYPE" and str(node.get("type_name", "")).upper() not in _CASTS:
        return f"a cast to {node.get('type_name', 'this type')} may mean something else in DuckDB"
    if kind == "JOIN" and (node.get("join_type") not in _JOINS or node.get("ref_type") not in _JOIN_KINDS):
        return f"a join of kind {node.get('join_type')} {node.get('ref_type')} is not common SQL"
    if kind == "BASE_TABLE" and (node.get("schema_name") or node.get("catalog_name") or _path(node) > 1):
        return "a relation has more than one name"
    return ""


def _path(node: JsonObject) -> int:
    return len((node.get("qualified_name") or {}).get("path", ()))
