from genreatlas.ids import slug, stable_id


def test_parts_do_not_run_into_each_other():
    assert stable_id("ab", "c") != stable_id("a", "bc")
    assert stable_id("a", 1.5) == stable_id("a", "1.5")
    assert len(stable_id("x")) == 20


def test_spellings_of_one_genre_share_a_slug_and_other_scripts_keep_their_letters():
    assert {slug("Hip-Hop"), slug("hiphop"), slug("hip hop"), slug("HIP_HOP")} == {"hiphop"}
    assert slug("r&b en espanol") == "rbenespanol"
    assert slug("한국 인디") == "한국인디"


def test_labels_that_differ_in_a_sign_are_several_genres():
    for names in (
        ["-1", "1", "2", "0"],
        ["C", "C++", "C#", "D"],
        ["+", "♥", "★"],
        ["1.5", "15", "-1.5"],
        ["1", "10", "1,000"],
        ["कि", "की"],
    ):
        assert len({slug(name) for name in names}) == len(names) and all(map(slug, names))
    assert slug("-1") == slug("\u22121") == "minus1" and slug("1.0") == slug("1") == "1"
    assert (slug("C++"), slug("C#"), slug("Rock + Pop")) == ("cplusplus", "csharp", "rockpop")
    assert slug("♥\ufe0f") == slug("♥")


def test_names_of_punctuation_alone_are_none():
    assert [slug(name) for name in ("", " ", "-", "?", "_", "...")] == [""] * 6


def test_slugs_of_ordinary_names_stay_what_they_were():
    names = ["R&B", "80's", "Rock'n'Roll", "Drum & Bass", "música", "Música Pitiusa", "국악", "国风", "İzmir", "straße"]
    assert [slug(name) for name in names] == [
        "rb", "80s", "rocknroll", "drumbass", "música", "músicapitiusa", "국악", "国风", "izmir", "strasse"
    ]  # fmt: skip
