"""Which songs are trained on, and as what."""

import pandas as pd
import pytest

from genreatlas.config import TrainSection
from genreatlas.datasets.labels import at_level, choose, roots
from genreatlas.errors import ConfigError, InputError


def train(**settings):
    return TrainSection.model_validate({"min_songs": 2} | settings)


def songs_of(*rows):
    """Songs from (id, genres) or (id, genres, changes); each an artist and a recording of its own, in fold 0."""
    songs, labels = [], []
    for number, (song, genres, *changes) in enumerate(rows):
        row = {"song_id": song, "group_id": song, "part": "train", "fold": 0, "recording": number, "state": "usable"}
        songs.append(row | (changes[0] if changes else {}))
        labels += [{"song_id": song, "genre_id": genre, "genre": genre.title()} for genre in genres.split()]
    return pd.DataFrame(songs), pd.DataFrame(labels)


def labelled(choice):
    return dict(zip(choice.songs.song_id, choice.songs.genres, strict=True))


def row_of(choice, genre):
    row = choice.dropped.set_index("genre_id").loc[genre].to_dict()
    return {name: value for name, value in row.items() if value not in (0, "")}


TWO_EACH = (("a", "rock"), ("b", "rock"), ("c", "jazz"), ("d", "jazz"))


def test_a_song_with_several_genres_is_dropped_and_counted_by_default():
    choice = choose(*songs_of(*TWO_EACH, ("e", "rock jazz")), train())
    assert choice.classes == ("jazz", "rock") and choice.class_names == ("Jazz", "Rock")
    assert labelled(choice) == {"a": ("rock",), "b": ("rock",), "c": ("jazz",), "d": ("jazz",)}
    assert row_of(choice, "rock") == {"genre": "Rock", "songs": 3, "several": 1, "kept": 2}


def test_the_rarest_of_several_genres_is_the_songs_genre_where_that_is_asked_for():
    choice = choose(*songs_of(*TWO_EACH, ("e", "rock"), ("f", "rock jazz")), train(labels="rarest"))
    assert labelled(choice)["f"] == ("jazz",)


def test_what_each_rule_and_the_threshold_would_keep_is_said():
    copies = {"recording": 99}
    rows = (*TWO_EACH, ("e", "rock jazz"), ("f", "rock folk"), ("g", "rock", copies), ("h", "rock", copies))
    choice = choose(*songs_of(*rows), train(labels="rarest"))
    assert choice.effects == (
        "2 of 7 recordings have several genres; train.labels would keep with drop 6 songs of 2 genres, rarest 7 songs "
        "of 2 genres, multi 7 songs of 2 genres (now rarest)",
        "train.min_songs = 2: 1 of 3 genres have fewer recordings, 1 labels in all",
    )
    assert choose(*songs_of(*TWO_EACH), train()).effects == ()


def test_all_genres_of_a_song_count_with_multi():
    choice = choose(*songs_of(*TWO_EACH, ("e", "rock jazz")), train(labels="multi"))
    assert labelled(choice)["e"] == ("jazz", "rock")
    assert row_of(choice, "rock") == {"genre": "Rock", "songs": 3, "kept": 3}


def test_a_genre_with_too_few_songs_is_left_out_and_its_songs_count_for_their_other_genre():
    choice = choose(*songs_of(*TWO_EACH, ("e", "polka rock")), train())
    assert labelled(choice)["e"] == ("rock",)
    assert row_of(choice, "polka") == {
        "genre": "Polka",
        "songs": 1,
        "why": "fewer than 2 songs left, or none in the training part",
    }


def test_a_genre_that_has_too_few_songs_only_after_the_drop_goes_too():
    rows = (*TWO_EACH, ("e", "folk rock"), ("f", "folk rock"), ("g", "folk"))
    choice = choose(*songs_of(*rows), train())
    assert choice.classes == ("jazz", "rock")
    assert labelled(choice)["e"] == ("rock",)


def test_copies_of_a_recording_count_once_with_the_genres_of_all():
    rows = (
        *TWO_EACH,
        ("e", "rock", {"recording": 0}),
        ("f", "jazz", {"recording": 2}),
        ("g", "jazz", {"recording": 1}),
    )
    with pytest.raises(InputError):  # b is rock as b and jazz as g
        choose(*songs_of(*rows), train())
    choice = choose(*songs_of(*rows, ("h", "rock")), train())
    assert sorted(labelled(choice)) == ["a", "c", "d", "h"]
    assert row_of(choice, "jazz") == {"genre": "Jazz", "songs": 4, "duplicates": 2, "kept": 2}


def test_songs_without_features_or_against_the_condition_are_told_apart():
    rows = (*TWO_EACH, ("e", "rock", {"state": "no_features"}), ("f", "rock", {"state": "filtered"}))
    choice = choose(*songs_of(*rows), train())
    assert row_of(choice, "rock") == {"genre": "Rock", "songs": 4, "no_features": 1, "filtered": 1, "kept": 2}


def test_a_genre_without_a_training_song_is_no_class():
    rows = (*TWO_EACH, ("e", "folk", {"part": "test", "fold": None}), ("f", "folk", {"part": "test", "fold": None}))
    assert choose(*songs_of(*rows), train()).classes == ("jazz", "rock")


def test_max_songs_and_downsampling_thin_the_training_part_evenly_over_folds():
    many = [(f"r{number}", "rock", {"fold": number % 2}) for number in range(8)]
    test = ("t", "rock", {"part": "test", "fold": None})
    few = [(f"j{number}", "jazz", {"fold": number % 2}) for number in range(4)]
    for settings in ({"max_songs": 4}, {"balance": "downsample"}):
        choice = choose(*songs_of(*many, *few, test), train(**settings))
        rock = choice.songs[(choice.songs.genres == ("rock",)) & (choice.songs.part == "train")]
        assert rock.fold.value_counts().to_dict() == {0: 2, 1: 2}
        assert "t" in set(choice.songs.song_id)
        assert row_of(choice, "rock") == {"genre": "Rock", "songs": 9, "surplus": 4, "kept": 5}


def test_weights_make_genres_count_alike_in_training():
    choice = choose(
        *songs_of(("a", "rock"), ("b", "rock"), ("c", "rock"), ("d", "jazz")), train(balance="weights", min_songs=1)
    )
    weights = choice.songs.assign(genre=choice.songs.genres.str[0]).groupby("genre").weight.sum()
    assert weights.to_dict() == {"jazz": 2.0, "rock": 2.0}


def test_the_order_of_rows_changes_nothing():
    songs, labels = songs_of(*TWO_EACH, ("e", "rock jazz"), ("f", "folk rock"), ("g", "rock"), ("h", "rock"))
    settings = train(max_songs=3)
    one = choose(songs, labels, settings)
    other = choose(songs[::-1], labels.sample(frac=1, random_state=1), settings)
    pd.testing.assert_frame_equal(one.songs, other.songs)
    pd.testing.assert_frame_equal(one.dropped, other.dropped)


def test_fewer_than_two_genres_is_refused_in_one_line_that_says_where_songs_went():
    with pytest.raises(InputError) as error:
        choose(*songs_of(("a", "rock"), ("b", "rock"), ("c", "jazz")), train())
    assert "Fewer than two usable genres" in str(error.value) and "\n" not in str(error.value)
    assert "Rock: 2 songs" in str(error.value)
    assert error.value.exit_code == 2


def test_a_wanted_genre_that_no_song_has_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean Rock"):
        choose(*songs_of(*TWO_EACH), train(genres=("rokc", "jazz")))


def test_only_wanted_genres_decide_what_several_means():
    rows = (*TWO_EACH, ("e", "rock folk"), ("f", "folk"), ("g", "folk"))
    choice = choose(*songs_of(*rows), train(genres=("Rock", "Jazz")))
    assert labelled(choice)["e"] == ("rock",)
    assert row_of(choice, "folk") == {"genre": "Folk", "songs": 3, "why": "not among train.genres"}


def test_balance_needs_one_genre_a_song():
    with pytest.raises(ConfigError, match="balance"):
        choose(*songs_of(*TWO_EACH), train(labels="multi", balance="weights"))


def test_a_model_that_is_judged_keeps_its_genres_however_rare():
    rows = (("a", "rock"), ("b", "jazz"), ("c", "jazz folk"))
    choice = choose(*songs_of(*rows), train(min_songs=50), classes=("blues", "jazz", "rock"))
    assert choice.classes == ("blues", "jazz", "rock")
    assert labelled(choice) == {"a": ("rock",), "b": ("jazz",), "c": ("jazz",)}


def test_the_top_of_a_tree_is_found_over_any_number_of_steps_and_a_circle_does_not_hang():
    tree = {"serialism": ("modern", "Modern"), "modern": ("classical", "Classical")}
    assert roots(tree) == {"serialism": ("classical", "Classical"), "modern": ("classical", "Classical")}
    circle = {"a": ("b", "B"), "b": ("a", "A")}
    assert roots(circle) == {"a": ("a", "A"), "b": ("a", "A")}


def test_two_children_of_one_parent_are_one_label_at_the_parents_level():
    labels = pd.DataFrame(
        {
            "song_id": ["a", "a", "b"],
            "genre_id": ["baroque", "serialism", "rock"],
            "genre": ["Baroque", "Serialism", "Rock"],
        }
    )
    parents = {"baroque": ("classical", "Classical"), "serialism": ("classical", "Classical")}
    assert at_level(labels, "parent", parents).to_dict("records") == [
        {"song_id": "a", "genre_id": "classical", "genre": "Classical"},
        {"song_id": "b", "genre_id": "rock", "genre": "Rock"},
    ]
