"""Songs that sound like an upload: corrected for hubs as the lake's own lists are, each recording once."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("duckdb")

from conftest import make_config
from genreatlas.audio.whole_files import whole_file
from genreatlas.neighbours.ranking import Ranking
from genreatlas.neighbours.search import SCALE_OF, local_scale, nearest
from genreatlas.neighbours.space import fit_space, to_vectors
from genreatlas.web.analysing import Analyst
from genreatlas.web.published import Extract
from genreatlas.web.publishing import publish
from one_file_models import recipe, save_model, sound
from site_factory import site_data, song_vectors

WEIGHT = 0.5
N = 40


def by_hand(vectors, mine, k):
    """Squared distance a feature, less a share of both local scales."""
    squares = np.square(vectors.astype(np.float64) - mine).mean(axis=1)
    places = np.arange(len(vectors), dtype=np.int32)
    scales = local_scale(nearest(vectors, places, places, SCALE_OF), len(vectors))
    return np.argsort(squares - WEIGHT * scales, kind="stable")[:k], np.argsort(squares, kind="stable")[:k]


def test_the_ranking_of_a_new_vector_takes_hubs_back():
    rng = np.random.default_rng(3)
    vectors = rng.normal(0, 1, (300, 12)).astype(np.float32)
    vectors[:20] *= 0.2  # hubs: near to everything
    places = np.arange(300, dtype=np.int32)
    scales = local_scale(nearest(vectors, places, places, SCALE_OF), 300)
    ranking = Ranking(vectors, WEIGHT, scales, np.ones(300, dtype=bool))
    mine = rng.normal(0, 1, 12).astype(np.float32)
    corrected, plain = by_hand(vectors, mine, 10)
    assert ranking.nearest(mine, -1, 10).places[0].tolist() == corrected.tolist() != plain.tolist()
    assert (corrected < 20).sum() < (plain < 20).sum()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """An extract of songs whose sounds are known, with the model that analyses."""
    home = tmp_path_factory.mktemp("home")
    config = make_config(home, "clip.seconds=2.0")
    meta = save_model(config, "m1")
    made = replace(recipe(config, "summary9"), cut=True)
    contents = [sound(("tone", "noise")[n % 2], ("noise", "tone")[n % 3 == 0], seconds=1.5, seed=n) for n in range(N)]
    values = np.concatenate([whole_file(one, made, True).windows[0].values for one in contents])
    space, vectors = fit_space(values.astype(np.float64), made.columns)
    ids = [f"song{n:06d}" for n in range(N)]
    recordings = ["one", "one", "one", *[None] * (N - 3)]
    facts = {
        "feature_set": "summary9", "set_version": meta.set_version, "preprocessing_id": meta.preprocessing_id,
        "features": list(space.features), "centre": space.centre.tolist(), "spread": space.spread.tolist(),
        "mean": space.mean.tolist(), "variance": space.variance, "scale_weight": WEIGHT,
        "clip": config.clip.model_dump_json(),
    }  # fmt: skip
    model = {"model_id": "m1", "candidate": "sklearn logistic", "feature_set": "summary9", "n_genres": 2,
             "set_version": meta.set_version, "score_kind": meta.score_kind}  # fmt: skip
    data = site_data(N, vectors=song_vectors(ids, vectors, recordings), space=facts, model=model)
    publish(data, config.web.path, "one")
    return home, Analyst(Extract(config.web.path / "extracts" / "one"), config.models.path, config), contents, space


def test_an_upload_finds_itself_and_each_recording_once_in_the_corrected_order(served):
    home, analyst, contents, space = served
    path = home / "mine.wav"
    path.write_bytes(contents[0])
    found = [one["song_id"] for one in analyst.analyse(path)["similar"]]
    assert "song000000" in found
    assert not {"song000001", "song000002"} & set(found)  # copies of its recording
    values = whole_file(contents[0], replace(analyst.recipes[-1], cut=True), True).windows[0].values
    mine = to_vectors(values[:1], space)[0]
    vectors = np.load(analyst.found.folder / "vectors.npy")
    ids = [song["song_id"] for song in analyst.found.songs(range(1, N + 1))]
    order, _ = by_hand(vectors, mine, N)
    wanted = [ids[n] for n in order if ids[n] not in ("song000001", "song000002")]
    assert found == wanted[:12]
    json.dumps(found)
