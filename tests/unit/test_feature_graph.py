import pytest

from genreatlas.audio.graph import Graph


def make_graph(calls: list[str]) -> Graph:
    graph = Graph()

    @graph.feature
    def spectrum(samples):
        calls.append("spectrum")
        return samples * 2

    @graph.feature
    def centroid(spectrum, sample_rate):
        calls.append("centroid")
        return spectrum + sample_rate

    @graph.feature
    def flatness(spectrum):
        calls.append("flatness")
        return spectrum * 10

    return graph


def test_a_feature_gets_what_its_parameters_name():
    assert make_graph([]).compute(["centroid"], samples=3, sample_rate=100) == {"centroid": 106}


def test_an_intermediate_that_two_features_need_is_computed_once_and_others_not_at_all():
    calls: list[str] = []
    values = make_graph(calls).compute(["centroid", "spectrum"], samples=3, sample_rate=100)
    assert values == {"centroid": 106, "spectrum": 6}
    assert calls == ["spectrum", "centroid"]


def test_what_is_given_is_not_computed():
    calls: list[str] = []
    assert make_graph(calls).compute(["flatness"], spectrum=1) == {"flatness": 10}
    assert calls == ["flatness"]


def test_a_second_engine_replaces_one_function_and_keeps_the_rest():
    graph = make_graph([])

    def spectrum(samples):
        return samples * 3

    faster = graph.extended(spectrum)
    assert faster.compute(["centroid"], samples=3, sample_rate=100) == {"centroid": 109}
    assert graph.compute(["centroid"], samples=3, sample_rate=100) == {"centroid": 106}


def test_a_name_that_nobody_computes_is_reported_with_who_needs_it():
    with pytest.raises(KeyError, match="centroid -> sample_rate: no such feature"):
        make_graph([]).compute(["centroid"], samples=3)


def test_features_that_need_each_other_are_reported_as_a_circle():
    graph = Graph()

    def a(b):
        return b

    def b(a):
        return a

    graph.feature(a)
    graph.feature(b)
    with pytest.raises(KeyError, match="a -> b -> a: circular dependency"):
        graph.compute(["a"])


def test_two_features_of_one_name_are_refused():
    graph = make_graph([])

    def spectrum(samples):
        return samples

    with pytest.raises(ValueError, match="two features are called spectrum"):
        graph.feature(spectrum)
