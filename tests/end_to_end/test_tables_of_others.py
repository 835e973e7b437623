"""Tables that others wrote, from the command line to the report."""

import json

import pytest
from deltalake import DeltaTable
from whole_jobs import command, run

#: What ESC-50 and others call their columns, most of them also names of columns here.
FOREIGN = (
    "fold", "part", "weight", "genres", "group_id", "genre_id", "label", "features", "prediction", "probability",
    "select", "x" * 300,
)  # fmt: skip
GENRES = ("-1", "1", "Drum & Bass")


@pytest.mark.slow
def test_a_table_with_the_names_of_our_own_columns_goes_through_to_the_report(tmp_path):
    lines = ["id\tgenre\ttitle\tf0\t" + "\t".join(FOREIGN)]
    for n in range(60):
        values = [n % 3 + (n * place % 7) / 5 for place in range(1, len(FOREIGN) + 2)]
        title = f'"Song {n}' if n == 20 else f"Canção {n}"
        lines.append("\t".join([f"s{n:02}", GENRES[n % 3], title, *(f"{v:.2f}".replace(".", ",") for v in values)]))
    lines.append("s60\t1\tcut")
    path = tmp_path / "features.tsv"
    path.write_bytes(("\n".join(lines) + "\n").encode("latin-1"))
    steps = ["import_features", "assign_splits", "train_models", "evaluate_models", "write_report"]
    given = {"path": str(path), "name": "shop", "id": "id", "labels": ["genre"], "title": "title"}
    candidates = (
        '[{engine = "sklearn", estimator = "linear_svc", grid = {C = [1.0]}}, '
        '{engine = "spark", estimator = "logistic_regression", grid = {regParam = [0.1]}}]'
    )
    done = run(
        command(
            "pipeline",
            tmp_path,
            tmp_path,
            settings=(
                f"pipeline.steps={json.dumps(steps)}",
                *(f"import_features.{key}={json.dumps(value)}" for key, value in given.items()),
                'train.feature_sets=["shop"]',
                f"train.candidates={candidates}",
            ),
        )
    )
    assert done.returncode == 0, done.stdout
    assert "Traceback" not in done.stdout and "line 22" in done.stdout and "line 62" in done.stdout
    assert "Windows-1252" in done.stdout and "decimal marks" in done.stdout

    def table(name):
        return DeltaTable(str(tmp_path / "tables" / name)).to_pandas()

    assert len(table("songs")) == 60 and len(table("quarantine")) == 1
    assert sorted(set(table("song_genres").genre_id)) == ["1", "drumbass", "minus1"]
    assert set(table("experiments").status) == {"done"} and {"sklearn", "spark"} <= set(table("models").engine)
    assert (tmp_path / "report" / "index.html").stat().st_size > 10_000
