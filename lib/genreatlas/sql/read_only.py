"""Refuse statements that do more than read the store's tables and views.

Spark SQL can access much more than tables: ``TRANSFORM … USING`` runs a shell, ``reflect`` calls any Java method, and
``SELECT * FROM text.`/etc/passwd` `` reads any file. So Spark parses each query, and its unresolved plan may contain
only known kinds of nodes, relations of the store, and functions of :data:`genreatlas.config.conditions.FUNCTIONS`. In a
classic session the plan is checked as objects. On Spark Connect it is checked as text: every word before a bracket must
be known, also inside string literals. This refuses a few harmless statements and accepts no harmful ones. In sessions
that provide neither, every query is refused.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any, TypeAlias

from pyspark.sql import SparkSession

from genreatlas.config.conditions import FUNCTIONS
from genreatlas.errors import ConfigError

#: An object of Spark's JVM, by py4j.
JavaObject: TypeAlias = Any

_CATALYST = "org.apache.spark.sql.catalyst."
#: Nodes of a plan that filter, join, sort and compute; anything else is refused.
_NODES = frozenset(
    """
    Project Filter Join LateralJoin Aggregate Sort GlobalLimit LocalLimit Limit Offset Tail Distinct
    Deduplicate Union Intersect Except SubqueryAlias OneRowRelation LocalRelation Generate Window
    WithWindowDefinition Sample Pivot Unpivot UnresolvedWith CTE CTERelationDef CTERelationRef UnresolvedHint
    UnresolvedHaving UnresolvedSubqueryColumnAliases UnresolvedInlineTable UnresolvedTableValuedFunction
    UnresolvedTVFAliases UnresolvedRelation PipeOperator UsingJoin NaturalJoin AsOfJoin Range View
    UnresolvedGroupByAll
    """.split()  # noqa: SIM905
)
#: Allowed packages of Catalyst besides nodes of relations: expressions and unresolved names.
_EXPRESSIONS = (f"{_CATALYST}expressions.", f"{_CATALYST}analysis.", f"{_CATALYST}trees.", f"{_CATALYST}plans.")
#: Classes of values in a plan, which are skipped here; names and options are checked in the nodes that have them.
_VALUES = (
    "org.apache.spark.sql.types.",
    "org.apache.spark.unsafe.types.",
    "org.apache.spark.sql.util.CaseInsensitiveStringMap",
    f"{_CATALYST}AliasIdentifier",
    f"{_CATALYST}FunctionIdentifier",
)
_REFUSED_EXPRESSIONS = re.compile(
    r"\.(CallMethodViaReflection|TryReflect|\w*UDF\w*|\w*UDTF\w*|InputFile\w+|ExpressionWithUnresolvedIdentifier|"
    r"NamedParameter|PosParameter|Invoke|StaticInvoke|NewInstance)$|\.expressions\.objects\."
)
#: Words before a bracket in the text of a plan that are not functions.
_TEXT_WORDS = frozenset(
    """
    unresolvedalias cast try_cast lambdafunction windowspecdefinition specifiedwindowframe unspecifiedframe$
    currentrow$ unboundedpreceding$ unboundedfollowing$ distinct some list vector set arraybuffer map
    groupingsets rollup cube unresolvedordinal multialias extract interval scalar-subquery exists in outer
    decimal varchar char collate collation wrappedarray and or not
    """.split()  # noqa: SIM905
)
_NAME = r"(?:\w+|`(?:[^`]|``)+`)"
#: Allowed forms of SHOW and DESCRIBE. Each has at most one relation, which must be in the store.
_DESCRIPTIONS = (
    re.compile(rf"SHOW\s+COLUMNS\s+(?:IN|FROM)\s+(?P<relation>{_NAME})", re.IGNORECASE),
    re.compile(r"SHOW\s+(?:VIEWS|TABLES)(?:\s+LIKE\s+'[^'\\]*')?", re.IGNORECASE),
    re.compile(r"(?:DESC|DESCRIBE)\s+FUNCTION\s+(?:EXTENDED\s+)?\w+", re.IGNORECASE),
    re.compile(
        rf"(?:DESC|DESCRIBE)\s+(?:TABLE\s+)?(?:EXTENDED\s+|FORMATTED\s+)?(?P<relation>{_NAME})(?:\s+{_NAME})?",
        re.IGNORECASE,
    ),
)
_EXPLAIN = re.compile(r"EXPLAIN\s+(?:(?:EXTENDED|FORMATTED|COST|CODEGEN)\s+)?", re.IGNORECASE)


def check(spark: SparkSession, statement: str, relations: Collection[str]) -> None:
    """Raise an error unless a statement is read-only.

    Parameters
    ----------
    statement : one query, or one of SHOW, DESCRIBE and EXPLAIN.
    relations : tables and views that the statement may use.

    Raises
    ------
    ConfigError : the statement uses another relation or a function that is not allowed, or is of another kind; or the
        session does not provide its plan.
    PySparkException : Spark cannot parse it.
    """
    if (explained := _EXPLAIN.match(statement)) is not None:
        statement = statement[explained.end() :]
    elif (described := _description(statement)) is not None:
        relation = described.groupdict().get("relation")
        if relation is not None:
            _check_relation([relation.strip("`")], _lower(relations))
        return
    parser = _parser(spark)
    if parser is not None:
        _check_tree(parser.parsePlan(statement), _lower(relations))
    else:
        _check_text(_plan_text(spark, statement), _lower(relations))


def _description(statement: str) -> "re.Match[str] | None":
    if not re.match(r"(SHOW|DESC|DESCRIBE)\b", statement, re.IGNORECASE):
        return None
    for pattern in _DESCRIPTIONS:
        if (match := pattern.fullmatch(statement)) is not None:
            return match
    raise _refused("this form of SHOW or DESCRIBE", "SHOW VIEWS, SHOW COLUMNS IN name and DESCRIBE name are possible")


def _parser(spark: SparkSession) -> JavaObject:
    """The session's parser; None on Spark Connect, which has no JVM in this process."""
    session = getattr(spark, "_jsparkSession", None)
    return None if session is None else session.sessionState().sqlParser()


def _lower(names: Collection[str]) -> set[str]:
    return {name.lower() for name in names}


def _refused(
    what: str, instead: str = "only the store's tables and views and Spark's functions of values are"
) -> ConfigError:
    return ConfigError(f"query: {what} is not allowed; {instead}.")


def _check_relation(parts: list[str], known: set[str]) -> None:
    if len(parts) > 1:
        raise _refused(f"the relation {'.'.join(parts)}")
    if parts[0].lower() not in known:
        raise UnknownRelationError(parts[0])


class UnknownRelationError(ConfigError):
    """A name that is neither a table nor a view of the store."""

    def __init__(self, name: str) -> None:
        super().__init__(f"query: there is no table or view {name}")
        self.name = name


def _check_tree(plan: JavaObject, known: set[str]) -> None:
    """Check a parsed plan in the JVM, including expressions, subqueries and common table expressions."""
    found = list(_objects(plan))
    for name, node in found:
        if name.endswith(".UnresolvedWith"):
            relations = node.cteRelations()
            known = known | {relations.apply(i).productElement(0).lower() for i in range(relations.size())}
    for name, node in found:
        short = name.rpartition(".")[2]
        if short == "UnresolvedFunction":
            _check_function(_parts(node.nameParts()))
        elif short == "UnresolvedTableValuedFunction":
            _check_function(_parts(node.name()))
        elif short == "UnresolvedGenerator":
            _check_function([node.name().unquotedString()])
        elif short == "UnresolvedRelation":
            if node.isStreaming() or not node.options().isEmpty():
                raise _refused("a stream, or a relation with options")
            _check_relation(_parts(node.multipartIdentifier()), known)


def _objects(plan: JavaObject) -> Iterator[tuple[str, JavaObject]]:
    """Class name and object of every node and expression in a plan. Other classes of Catalyst are refused."""
    java = plan.getClass()
    forName = java.forName
    product, iterable, logical = (
        forName(name)
        for name in ("scala.Product", "scala.collection.Iterable", f"{_CATALYST}plans.logical.LogicalPlan")
    )
    waiting = [plan]
    while waiting:
        value = waiting.pop()
        if not hasattr(value, "getClass"):
            continue  # a string or a number, which py4j converts to Python
        if iterable.isInstance(value):
            items = value.iterator()
            while items.hasNext():
                waiting.append(items.next())
            continue
        name = str(value.getClass().getName()).rstrip("$")
        if logical.isInstance(value):
            if name.rpartition(".")[2] not in _NODES:
                raise _refused(_spoken(name))
            yield name, value
        elif name.startswith("org.apache.spark."):
            if name.startswith(_VALUES):
                continue
            if not name.startswith(_EXPRESSIONS) or _REFUSED_EXPRESSIONS.search(name):
                raise _refused(_spoken(name))
            yield name, value
        if product.isInstance(value):
            waiting += [value.productElement(i) for i in range(value.productArity())]


def _spoken(name: str) -> str:
    """Readable name of a class: ScriptTransformation → "script transformation"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.rpartition(".")[2]).lower()


def _parts(sequence: JavaObject) -> list[str]:
    return [str(sequence.apply(i)) for i in range(sequence.size())]


def _check_function(parts: list[str]) -> None:
    if len(parts) > 1 or parts[0].lower() not in FUNCTIONS:
        raise _refused(f"the function {'.'.join(parts)}")


def _plan_text(spark: SparkSession, statement: str) -> str:
    """The parsed plan as Spark Connect prints it, up to the last possible end."""
    width = "spark.sql.debug.maxToStringFields"
    before = spark.conf.get(width, None)
    try:
        spark.conf.set(width, "100000")
        rows = spark.sql(f"EXPLAIN EXTENDED {statement}").collect()
        text = "\n".join(str(row[0]) for row in rows)
    finally:
        if before is None:
            spark.conf.unset(width)
        else:
            spark.conf.set(width, before)
    start, head, plan = text.partition("== Parsed Logical Plan ==\n")
    plan, end, _ = plan.rpartition("\n== Analyzed Logical Plan ==")
    if start.strip() or not head or not end:
        raise ConfigError("query: this session does not show the plan of a statement, so it cannot be checked.")
    return plan


def _check_text(plan: str, known: set[str]) -> None:
    """Check the text of a plan like :func:`_check_tree`. In case of doubt the statement is refused."""
    if re.search(r"\.\.\. \d+ more|\bTruncated\b|\.\.\.$", plan):
        raise _refused("a statement as long as this one on Spark Connect")
    for line in filter(str.strip, plan.split("\n")):
        node = re.match(r"[\s:+|-]*'?([\w.]+)", line)
        if node is None or node[1] not in _NODES:
            raise _refused(_spoken(node[1]) if node else repr(line.strip()[:40]))
    for name in re.findall(r"^[\s:+|-]*'?CTE \[([^\]]*)\]", plan, re.MULTILINE):
        known = known | {part.strip().lower() for part in name.split(",")}
    for words in re.findall(r"UnresolvedRelation \[(.*?)\], \[", plan):
        _check_relation(words.split(", "), known)
    for words in re.findall(r"UnresolvedTableValuedFunction \[(.*?)\]", plan):
        _check_function(words.split(", "))
    if plan.count("UnresolvedRelation") != len(re.findall(r"UnresolvedRelation \[.*?\], \[\], false", plan)):
        raise _refused("a relation with options")
    for word in re.findall(r"([\w.$`-]+)\(", plan):
        name = word.lower().lstrip("-")
        if name not in FUNCTIONS and name not in _TEXT_WORDS:
            raise _refused(f"the function {word}")
