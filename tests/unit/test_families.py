from genreatlas.datasets.families import families_by_name


def families(*names):
    return families_by_name({name: name for name in names})


def test_a_last_word_of_three_genres_names_a_family():
    found = families("house", "deep house", "acid house", "house argentino", "deep talk", "polka")
    assert found == dict.fromkeys(("house", "deep house", "acid house", "house argentino"), "house")


def test_the_last_word_counts_before_others_and_the_larger_family_before_a_smaller():
    rocks, folks = [f"{word} rock" for word in "abcd"], [f"{word} folk" for word in "abc"]
    found = families(*rocks, *folks, "folk rock", "rock folk", "folk and rock of chile")
    assert (found["folk rock"], found["rock folk"]) == ("rock", "folk")
    assert found["folk and rock of chile"] == "rock", "five genres end with rock, four with folk"


def test_spellings_of_one_genre_are_one_word_and_joining_words_name_nothing():
    found = families("uk hip hop", "old-school hip-hop", "Hip Hop", "swedish r&b", "alternative R n B", "rnb",
                     "sons de la", "ecos de la", "voz de la")  # fmt: skip
    assert set(found.values()) == {"hiphop", "rnb"} and len(found) == 6


def test_without_names_there_are_no_families():
    assert families() == {} == families_by_name({"a": "", "b": "!!!"})
