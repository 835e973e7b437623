"""A condition computes from the columns of a row, and reaches nothing else."""

import pytest

from genreatlas.config import load_config
from genreatlas.config.conditions import FUNCTIONS, check_condition
from genreatlas.errors import ConfigError


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "duration_s > 20 AND codec <> 'MPEG_LAYER_III'",
        "features.`tempo` BETWEEN 60.5 AND 1.8e2 OR isrc IS NOT NULL",
        "year(added_at) >= 2020 AND lower(title) NOT LIKE '%live%'",
        "NOT (array_contains(quality_flags, 'clipped')) and sample_rate in (44100, 48000)",
        "CAST(substr(release_date, 1, 4) AS INT) < 1990",
        "bit_rate::int % 2 = 0 AND title != 'it''s'",
        "exists(quality_flags, x -> x = 'mono')",
        "CASE WHEN (peak_dbfs < -1) THEN true ELSE false END",
        "`a column (odd)` > 0 AND CAST(x AS DECIMAL(10, 2)) > 1",
        "title = 'SELECT reflect(1) FROM text.`/etc/passwd` -- ;'",
    ],
)
def test_a_condition_on_values_passes(condition):
    assert check_condition(condition) == condition
    assert load_config([], [f"train.where={condition!r}"] if '"' not in condition else []).train is not None


@pytest.mark.parametrize(
    ("condition", "named"),
    [
        ("reflect('java.lang.System', 'getenv', 'PATH') IS NULL", "reflect"),
        ("java_method('java.lang.Runtime', 'getRuntime') = ''", "java_method"),
        ("TRY_REFLECT ('a', 'b') = ''", "TRY_REFLECT"),
        ("`reflect`('a', 'b') = ''", "`reflect`"),
        ("system.builtin.reflect('a', 'b') = ''", "reflect"),
        ("x IN (SELECT value FROM text.`/etc/passwd`)", "SELECT"),
        ("x IN (FROM songs)", "FROM"),
        ("x IN (TABLE songs)", "TABLE"),
        ("x IN (VALUES 1)", "VALUES"),
        ("(SELECT TRANSFORM(x) USING 'sh' FROM y) = 1", "SELECT"),
        ("EXISTS (from songs select 1)", "from"),
        ("identifier('re' || 'flect')('a') = 1", "identifier"),
        ("true -- and more", "--"),
        ("true /* and */", "/*"),
        ("title = 'a\\' OR reflect(1)'", "'a"),
        ("true; DROP TABLE songs", ";"),
        ("x = :parameter", ":p"),
        ("title = 'unclosed", "'u"),
        ("from_protobuf(x, 'm', '/etc/passwd') IS NULL", "from_protobuf"),
        ("input_file_name() LIKE '%'", "input_file_name"),
    ],
)
def test_what_reaches_beyond_the_row_is_refused_by_name(condition, named):
    with pytest.raises(ValueError, match="a condition may not"):
        check_condition(condition)
    with pytest.raises(ConfigError) as error:
        load_config([], [f"train.where={condition}"])
    assert "train.where" in str(error.value) and named in str(error.value)


def test_no_allowed_function_calls_code_or_reads_a_file():
    assert not FUNCTIONS & {
        "reflect", "java_method", "try_reflect", "input_file_name", "from_protobuf", "from_avro", "read_files",
        "secret", "xpath", "ai_query", "http_request", "python_worker_logs", "version", "current_user", "session_user",
    }  # fmt: skip
