"""A copy of the label in an imported table is not trained on, and everybody is told."""

import numpy as np
import pytest

from conftest import make_config
from genreatlas.datasets.library import read_library
from genreatlas.models.rebuilding import rebuild
from genreatlas.report.boards import boards
from genreatlas.report.flags import flags
from genreatlas.report.queries import read_report
from genreatlas.steps import assign_splits, evaluate_models, import_features, train_models
from genreatlas.store import Store
from genreatlas.tables import MODELS


@pytest.mark.slow
def test_copies_of_the_label_are_left_out_of_training_judgement_and_rebuilding(spark, tmp_path):
    random = np.random.default_rng(0)
    path = tmp_path / "songs.csv"
    genres = np.array(["rock", "jazz", "techno"])
    y = np.arange(90) % 3
    lines = ["name,genre,artist,class_label,is_jazz,f0,f1"]
    lines += [
        f"s{i:03d},{genres[k]},Artist {i // 2},{k},{int(k == 1)},{k + random.normal():.4f},{random.normal():.4f}"
        for i, k in enumerate(y)
    ]
    path.write_text("\n".join(lines) + "\n")
    config = make_config(
        tmp_path, f'import_features.path="{path}"', "import_features.name=shop", "import_features.id=name",
        'import_features.labels=["genre"]', "import_features.artist=artist", 'train.feature_sets=["shop"]',
        'train.candidates=[{engine="sklearn", estimator="logistic_regression", grid={C=[1.0]}}]',
    )  # fmt: skip
    store = Store(spark, config.store)
    import_features.run(store, config)
    assign_splits.run(store, config)
    notes = train_models.run(store, config).notes
    assert ('shop, class_label: left out: its value follows from the genre '
            '(train.keep_features = ["class_label"] keeps it)') in notes  # fmt: skip
    model = store.read(MODELS).where("engine = 'sklearn'").collect()[0]
    assert model.features == ["f0", "f1"]
    assert model.left_out == [f"{name}: its value follows from the genre" for name in ("class_label", "is_jazz")]
    assert not any("left out" in note for note in train_models.run(store, config).notes)

    evaluate_models.run(store, config)
    data = read_report(store, config)
    board = boards(data.models, data.scores, data.metric, data.level, data.labels)[0]
    assert board.best["score"] < 0.95
    assert [flag.text for flag in flags(data, board) if flag.title == "Features left out"] == [
        "shop: columns that give the genre away: class_label: its value follows from the genre; "
        "is_jazz: its value follows from the genre."
    ]
    assert rebuild(store, config, model, tmp_path / "again").features == ("f0", "f1")
    assert len(read_library(store, config).songs) == 90

    kept = config.model_copy(
        update={"train": config.train.model_copy(update={"keep_features": ("class_label", "is_jazz")})}
    )
    assert not any("left out" in note for note in train_models.run(store, kept).notes)
    assert ["class_label", "is_jazz", "f0", "f1"] in [row.features for row in store.read(MODELS).collect()]
