"""Drift of songs that came after the model in use was trained."""

from functools import partial

import pytest
from pyspark.sql import functions as F

from conftest import make_config
from genreatlas.steps import measure_drift
from genreatlas.store import Store
from genreatlas.tables import DRIFT, PROMOTIONS, SCORES
from judged_factory import POINTS, _write, add_library, add_model, add_songs, logistic, songs_of


@pytest.mark.slow
def test_new_songs_are_compared_with_those_that_the_model_was_trained_on(spark, tmp_path):
    config = make_config(tmp_path, "drift.min_rows=12")
    store = Store(spark, config.store)
    write = partial(_write, store)
    add_library(store)
    add_model(store, config, "m", logistic())
    assert measure_drift.run(store, config).notes == ("No model is called champion yet.",)
    write(PROMOTIONS, [{"alias": "champion", "sequence": 1, "action": "first", "model_id": "m", "reason": "Test."}])
    assert measure_drift.run(store, config).read == 0  # nothing came later

    new = [song for song in songs_of(range(60, 72), "test") if song.genres == (0,)]
    others = [song for song in songs_of(range(60, 72), "promotion") if song.genres == (1,)]
    add_songs(store, [*new, *others], version=2)
    moved = F.when(F.col("song_id") >= "song6000", 9).otherwise(0)
    louder = store.read(POINTS).withColumn("noise", (F.col("noise") + moved).cast("float"))
    store.upsert(POINTS, louder, update=True)
    said = {"model_id": "m", "confidence": 1.0, "scores": {"rock": 1.0}, "score_kind": "probability", "n_windows": 1,
            "n_failed_windows": 0, "predicted": "rock"}  # fmt: skip
    write(SCORES, [said | {"item_id": f"clip:{number}"} for number in range(12)])
    counts = measure_drift.run(store, config)
    assert (counts.read, counts.written) == (2, 2)
    rows = {(row.population, row.subject, row.name): row for row in store.read(DRIFT).collect()}
    assert set(rows) == {("new_songs", "feature", name) for name in ("x", "y", "noise")} | {
        (population, "genre", name) for population in ("new_songs", "scored") for name in ("blues", "jazz", "rock", "*")
    }
    noise = rows["new_songs", "feature", "noise"]
    assert noise.psi == max(row.psi for row in rows.values() if row.subject == "feature") and noise.ks == 1.0
    assert (noise.n_trained, noise.n_new) == (60, 16)
    assert noise.mean_new - noise.mean_trained == pytest.approx(9, abs=1.5)
    blues, rock = rows["new_songs", "genre", "blues"], rows["new_songs", "genre", "rock"]
    assert (blues.share_trained, blues.share_new, rock.share_new) == (pytest.approx(1 / 3), 0.5, 0.0)
    assert rows["scored", "genre", "rock"].share_new == 1.0
    assert "noise" in counts.notes[0]
    assert measure_drift.run(store, config).written == 0
