import numpy as np
import pytest

from genreatlas.errors import ConfigError, ModelError
from genreatlas.models.engines import get_engine
from genreatlas.models.engines.baseline import Dummy, fit_dummy, load_dummy

KEYS = [f"song-{i}" for i in range(20_000)]


def test_priors_are_the_weighted_shares_of_classes():
    y = np.array([0, 0, 0, 1])
    assert fit_dummy("majority", y, None, 3, seed=1).priors == (0.75, 0.25, 0.0)
    assert fit_dummy("majority", y, np.array([1, 1, 1, 3]), 3, seed=1).priors == (0.5, 0.5, 0.0)


def test_majority_always_says_the_most_frequent_class_with_the_priors_as_probability():
    scores = Dummy("majority", (0.2, 0.7, 0.1), 1).scores(KEYS[:3])
    assert scores.tolist() == [[0.2, 0.7, 0.1]] * 3


def test_stratified_draws_classes_as_often_as_they_are_and_never_an_absent_one():
    drawn = Dummy("stratified", (0.2, 0.0, 0.8), 1).scores(KEYS)
    assert set(np.unique(drawn)) == {0.0, 1.0}
    np.testing.assert_allclose(drawn.mean(axis=0), [0.2, 0.0, 0.8], atol=0.01)


def test_random_draws_every_class_alike_and_is_almost_indifferent():
    scores = Dummy("random", (0.9, 0.1), 1).scores(KEYS)
    np.testing.assert_allclose(np.bincount(scores.argmax(axis=1)) / len(KEYS), [0.5, 0.5], atol=0.01)
    np.testing.assert_allclose(scores, 0.5, atol=1e-6)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0)


@pytest.mark.parametrize("kind", ["random", "stratified"])
def test_a_song_gets_the_same_answer_whoever_is_asked_with_it(kind):
    dummy = Dummy(kind, (0.3, 0.7), 5)
    together = dummy.scores(KEYS[:50])
    alone = np.concatenate([dummy.scores([key]) for key in reversed(KEYS[:50])])[::-1]
    assert np.array_equal(together, alone)
    assert not np.array_equal(together, Dummy(kind, (0.3, 0.7), 6).scores(KEYS[:50]))


def test_several_labels_are_drawn_independently():
    Y = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 0, 0]], dtype=bool)
    dummy = fit_dummy("stratified", Y, None, 3, seed=2)
    assert (dummy.priors, dummy.multi) == ((1.0, 0.5, 0.0), True)
    np.testing.assert_allclose(dummy.scores(KEYS).mean(axis=0), [1.0, 0.5, 0.0], atol=0.01)


def test_a_baseline_survives_its_file_and_another_file_is_refused():
    dummy = Dummy("random", (0.25, 0.75), 2**40, multi=True)
    assert load_dummy(dummy.dumps()) == dummy
    for wrong in (b"{}", b"[1]", b"{", b'{"genreatlas": "baseline", "kind": "clairvoyant"}'):
        with pytest.raises(ModelError, match="baseline"):
            load_dummy(wrong)


def test_an_unknown_baseline_is_refused_with_the_nearest_name():
    get_engine("baseline").get_estimator("technical")
    with pytest.raises(ConfigError, match="Did you mean stratified"):
        get_engine("baseline").get_estimator("stratifed")
