"""Columns of a feature table → columns of the matrix."""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def encode(
    rows: DataFrame, columns: Mapping[str, str], features: tuple[str, ...] | None, training: Column | None = None
) -> dict[str, Column]:
    """Numbers as they are, names one-hot.

    A category is a column ``name=value``, 1 or 0. NULL, and a value that training did not see, is no
    category: 0 in all of them. In numeric columns NULL stays, and NaN becomes NULL; the models impute.

    Parameters
    ----------
    rows : the table's columns.
    columns : column = kind (numeric or categorical), in order.
    features : the columns of a model that is to be judged, which may have left some out; None: all, with the
        categories of the training part.
    training : tells the rows of the training part, whose categories count; None: all.

    Returns
    -------
    Matrix column = expression (float), in order.
    """
    categorical = [name for name, kind in columns.items() if kind == "categorical"]
    if features is None:
        values = _categories(rows if training is None else rows.where(training), categorical)
    else:
        values = {
            name: [feature.partition("=")[2] for feature in features if feature.startswith(f"{name}=")]
            for name in categorical
        }
    encoded: dict[str, Column] = {}
    for name, kind in columns.items():
        if kind == "categorical":
            for value in values[name]:
                encoded[f"{name}={value}"] = F.coalesce(_text(name) == value, F.lit(False)).cast("float")
        elif not features or name in features:
            number = F.col(f"`{name}`").cast("float")
            encoded[name] = F.when(~F.isnan(number), number)
    return encoded


def _text(name: str) -> Column:
    """A category as text; 3, 3.0 and '3' are one."""
    return F.regexp_replace(F.col(f"`{name}`").cast("string"), r"\.0$", "")


def _categories(rows: DataFrame, names: list[str]) -> dict[str, list[str]]:
    if not names:
        return {}
    found = rows.agg(*[F.sort_array(F.collect_set(_text(name))) for name in names])
    return {name: list(values) for name, values in zip(names, found.collect()[0], strict=True)}
