import pytest

from genreatlas.errors import ConfigError
from genreatlas.sources.genres import Genre, GenreNames, GenreParent, shown_names, split_labels


def test_spellings_that_differ_in_punctuation_are_one_genre():
    names = GenreNames()
    assert {names.read(text).genre_id for text in ["Hip-Hop", "hiphop", "hip hop", "Hip_Hop", " HIP  HOP "]} == {
        "hiphop"
    }
    assert names.read(" drum_and  bass ") == Genre("drumandbass", "drum and bass")


def test_aliases_chain_and_end_in_the_genre_as_configured():
    names = GenreNames({"rap": "Hip-Hop", "Trap Rap": "rap"})
    assert names.read("trap-rap") == names.read("RAP") == Genre("hiphop", "Hip-Hop")


def test_an_alias_that_only_fixes_the_spelling_is_no_circle():
    assert GenreNames({"hip hop": "Hip-Hop"}).read("hiphop") == Genre("hiphop", "Hip-Hop")


def test_aliases_in_a_circle_are_refused():
    with pytest.raises(ConfigError, match="form a cycle"):
        GenreNames({"a": "b", "b": "a"}).read("a")


@pytest.mark.parametrize("text", [None, "", " ", "Unknown", "none", "Other", "N/A"])
def test_words_that_mean_no_genre_are_none(text):
    assert GenreNames().read(text) is None


def test_an_alias_brings_back_a_word_that_means_no_genre():
    assert GenreNames({"other": "Other"}).read("other") == Genre("other", "Other")


def test_labels_are_split_on_semicolons_but_names_stay_whole():
    assert split_labels("Rock; Pop|R&B/Soul") == ("Rock", "Pop", "R&B/Soul")
    assert split_labels("Folk, World, & Country") == ("Folk, World, & Country",)
    assert GenreNames().read_all(["Rock; rock", "Pop", None]) == (Genre("rock", "Rock"), Genre("pop", "Pop"))


def test_parents_are_read_under_the_aliases():
    names = GenreNames({"rap": "Hip-Hop"}, {"trap": "rap", "boom bap": "hip hop"})
    assert names.parents() == (
        GenreParent("boombap", "boom bap", "hiphop", "hip hop"),
        GenreParent("trap", "trap", "hiphop", "Hip-Hop"),
    )


def test_a_genre_with_two_parents_or_among_its_ancestors_is_refused():
    with pytest.raises(ConfigError, match="two parents"):
        GenreNames(parents={"acid house": "house", "Acid-House": "techno"})
    with pytest.raises(ConfigError, match="own ancestors"):
        GenreNames(parents={"house": "techno", "techno": "house"})


def test_the_shown_name_is_the_commonest_spelling():
    genres = [Genre("hiphop", "hip hop"), Genre("hiphop", "Hip-Hop"), Genre("hiphop", "hip hop"), Genre("pop", "pop"),
              Genre("pop", "Pop")]  # fmt: skip
    assert shown_names(genres) == {"hiphop": "hip hop", "pop": "Pop"}
