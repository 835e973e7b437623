"""Comparison of results from Spark and DuckDB."""

from datetime import date

import pandas as pd
import pytest


def same(spark_rows: pd.DataFrame, duckdb_rows: pd.DataFrame, name: str, ordered: bool = False) -> None:
    """Assert equal columns and rows, with floats to twelve digits, because the order of summation differs."""
    assert list(spark_rows.columns) == list(duckdb_rows.columns), name
    one, other = (
        [tuple(map(_plain, row)) for row in frame.itertuples(index=False, name=None)]
        for frame in (spark_rows, duckdb_rows)
    )
    if not ordered:
        one, other = sorted(one, key=_without_floats), sorted(other, key=_without_floats)
    assert len(one) == len(other), name
    for left, right in zip(one, other, strict=True):
        close = [pytest.approx(value, rel=1e-12) if isinstance(value, float) else value for value in right]
        assert list(left) == close, name


def _without_floats(row):
    return repr([f"{value:.6g}" if isinstance(value, float) else value for value in row])


def _plain(value):
    """Convert lists, numbers and times to Python objects, and missing values to None."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [str(item) for item in value]
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return None
    if isinstance(value, date):  # DuckDB returns dates as timestamps
        value = pd.Timestamp(value)
        return value.tz_convert("UTC").tz_localize(None) if value.tzinfo else value
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
