from genreatlas.ids import slug, stable_id


def test_parts_do_not_run_into_each_other():
    assert stable_id("ab", "c") != stable_id("a", "bc")
    assert stable_id("a", 1.5) == stable_id("a", "1.5")
    assert len(stable_id("x")) == 20


def test_spellings_of_one_genre_share_a_slug_and_other_scripts_keep_their_letters():
    assert {slug("Hip-Hop"), slug("hiphop"), slug("hip hop"), slug("HIP_HOP")} == {"hiphop"}
    assert slug("r&b en espanol") == "rbenespanol"
    assert slug("한국 인디") == "한국인디"
