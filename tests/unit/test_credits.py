import pytest

from genreatlas.ids import stable_id
from genreatlas.sources.credits import (
    artist_id,
    artist_key,
    credits,
    is_no_artist,
    normalise_artist,
    performers,
    split_guests,
    title_guests,
)


def rows(*args, **kwargs):
    return [(credit.name, credit.role) for credit in credits(*args, **kwargs)]


@pytest.mark.parametrize(
    "spellings",
    [
        ("The Beatles", "beatles", "Beatles, The", " THE  BEATLES "),
        ("Beyoncé", "Beyonce\u0301", "BEYONCE"),
        ("Guns N' Roses", "Guns N’ Roses", "guns n roses"),
        ("Simon & Garfunkel", "Simon and Garfunkel"),
    ],
)
def test_spellings_of_one_artist_share_an_id(spellings):
    assert len({artist_id(name) for name in spellings}) == 1


@pytest.mark.parametrize(
    "spellings",
    [
        ("Jay-Z", "JAY Z", "Jay\u2010Z", "jay z", "Ｊａｙ－Ｚ", "Jay\u200b-Z"),
        ("Blink-182", "blink 182", "Blink182"),
        ("Run-D.M.C.", "Run DMC", "RUN-DMC"),
        ("AC/DC", "AC DC", "ac / dc", "ACDC"),
        ("The Beatles", "beatles", "Beatles, The", "Beatles,the"),
        ("Florence + The Machine", "Florence & the Machine", "Florence and the Machine"),
        ("Sigur Rós", "Sigur Ro\u0301s", "SIGUR ROS"),
        ("Røyksopp", "Royksopp"),
        ("Ke$ha", "Kesha"),
        ("P!nk", "Pink"),
        ("Цой", "Цои\u0306", "ЦОЙ"),
        ("Άννα Βίσση", "ΑΝΝΑ ΒΙΣΣΗ"),
        ("방탄소년단", "\u1107\u1161\u11bc\u1110\u1161\u11ab\u1109\u1169\u1102\u1167\u11ab\u1103\u1161\u11ab"),
        ("ガクト", "ｶﾞｸﾄ"),
        ("!!!", " !!! "),
    ],
)
def test_spellings_of_one_artist_share_a_key(spellings):
    assert len({artist_key(name) for name in spellings}) == 1


def test_different_artists_keep_different_names():
    names = ["The The", "!!!", "???", "Sunn O)))", "P!nk", "AC/DC", "きゃりー", "ぎゃりー", "Ария", "The", "A",
             "+/-", "राम", "रीम", "ก็", "กี่", "周杰倫", "مطرب", "☆", "†††"]  # fmt: skip
    assert len({normalise_artist(name) for name in names}) == len(names)
    names += ["Май", "Маи"]
    assert len({artist_key(name) for name in names}) == len(names) and all(map(artist_key, names))


def test_ids_of_stored_artists_never_change():
    known = {
        "The Beatles": "beatles", "Jay-Z": "jayz", "JAY Z": "jay z", "AC/DC": "acdc", "Guns N’ Roses": "guns n roses",
        "Beyoncé": "beyonce", "Florence + The Machine": "florence the machine", "Цой": "цои", "!!!": "!!!",
        "Simon & Garfunkel": "simon and garfunkel", "Røyksopp": "røyksopp", "周杰倫": "周杰倫",
    }  # fmt: skip
    assert {name: artist_id(name) for name in known} == {name: stable_id("artist", key) for name, key in known.items()}


@pytest.mark.parametrize(
    "name",
    ["", "  ", None, "Unknown", "<unknown>", "[Unknown Artist]", "Various Artists", "VARIOUS", "V.A.", "va", "N/A",
     "AA.VV.", "aavv", "AA. VV.", "Artisti Vari", "Сборник", "неизвестный исполнитель", "群星", "Różni wykonawcy",
     "V.A. - Trance", "Eri esittäjiä", "여러 아티스트",
     "Verschiedene Künstler", "Vários Artistas", "nan", "Various Artists - Trance 2001"],
)  # fmt: skip
def test_empty_unknown_and_various_are_no_artist(name):
    assert is_no_artist(name)


@pytest.mark.parametrize(
    "name",
    ["Unknown Mortal Orchestra", "Vanilla Ice", "Nana", "Various Cruelties", "!!!", "Vast", "Ministry of Sound", "VVV"],
)
def test_names_that_only_look_like_nobody_are_artists(name):
    assert not is_no_artist(name)


def test_guests_follow_the_primary_artist_and_never_lead():
    assert rows("Jay-Z feat. Alicia Keys & Swizz Beatz") == [
        ("Jay-Z", "primary"), ("Alicia Keys", "guest"), ("Swizz Beatz", "guest"),
    ]  # fmt: skip
    assert rows("Various Artists feat. Alicia Keys") == []
    assert rows("", guests=["Alicia Keys"]) == []


def test_the_performer_comes_first_and_the_album_artist_follows_unless_it_is_nobody():
    assert rows("Jay-Z ft. Rihanna", album_artist="Kanye West") == [
        ("Jay-Z", "primary"), ("Kanye West", "album_artist"), ("Rihanna", "guest"),
    ]  # fmt: skip
    assert rows("Jay-Z", album_artist="Various Artists") == [("Jay-Z", "primary")]
    assert rows("The Beatles", album_artist="Beatles") == [("The Beatles", "primary")]
    assert rows("", album_artist="Kanye West") == [("Kanye West", "album_artist")]
    assert rows("Unknown; Nina", album_artist="AA.VV.") == [("Nina", "primary")]


def test_joint_credits_stay_whole():
    assert split_guests("Simon & Garfunkel") == ("Simon & Garfunkel", ())
    assert split_guests("Tyler, The Creator") == ("Tyler, The Creator", ())
    assert split_guests("AC/DC") == ("AC/DC", ())
    assert split_guests("Daft Punk (feat. Pharrell, Nile Rodgers)") == ("Daft Punk", ("Pharrell", "Nile Rodgers"))
    assert split_guests("Orbital; Bill Bailey") == ("Orbital", ("Bill Bailey",))


def test_titles_name_guests_in_brackets_or_after_feat():
    assert title_guests("I Don't Care (with Justin Bieber) - Loud Luxury Remix") == ("Justin Bieber",)
    assert title_guests("Work feat. Drake - Remix") == ("Drake",)
    assert title_guests("Stay With Me") == ()
    assert title_guests("Intro (Feat. Nina, Otis Redding)") == ("Nina", "Otis Redding")
    assert rows("Ed Sheeran", title="I Don't Care (with Justin Bieber)") == [
        ("Ed Sheeran", "primary"), ("Justin Bieber", "guest"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "guests"),
    [
        ("GREAT NIGHT (feat. Shovels & Rope)", ("Shovels & Rope",)),
        ("A [feat. Earth, Wind & Fire]", ("Earth, Wind & Fire",)),
        ("A (feat. Tyler, The Creator)", ("Tyler, The Creator",)),
        ("A (with Nick Cave & The Bad Seeds)", ("Nick Cave & The Bad Seeds",)),
        ("A (feat. Dan + Shay)", ("Dan + Shay",)),
        ("A (feat. AC/DC)", ("AC/DC",)),
        ("A (feat. AC / DC)", ("AC / DC",)),
        ("A (feat. Belle and Sebastian)", ("Belle and Sebastian",)),
        ("A (feat. Alicia Keys & Swizz Beatz)", ("Alicia Keys", "Swizz Beatz")),
        ("A (feat. Nina Simone x Otis Redding)", ("Nina Simone", "Otis Redding")),
        ("A (feat. Kanye West, Shovels & Rope)", ("Kanye West", "Shovels & Rope")),
    ],
)
def test_a_guest_whose_name_holds_a_separator_is_one_guest(text, guests):
    assert title_guests(text) == guests
    if "feat" in text:
        assert split_guests(text) == (text[: text.lower().index("feat") - 2], guests)


@pytest.mark.parametrize(
    "name", ["AC / DC", "Earth, Wind & Fire", "Simon & Garfunkel", "Dan + Shay", "Tyler, The Creator"]
)
def test_an_artist_whose_name_holds_a_separator_is_one_artist(name):
    assert rows(name, album_artist=name) == [(name, "primary")]


@pytest.mark.parametrize(
    ("credit", "sure"),
    [
        ("David Guetta & Sia", {"davidguettaandsia", "davidguetta"}),
        ("Bob Marley & The Wailers", {"bobmarleyandthewailers", "bobmarley"}),
        ("Orbital vs. Hell", {"orbitalvshell", "orbital"}),
        ("Drake, 21 Savage", {"drake21savage", "21savagedrake", "drake"}),
        ("Simon & Garfunkel", {"simonandgarfunkel"}),
        ("Bowie, David", {"bowiedavid", "davidbowie"}),
        ("Nina; Otis", {"nina"}),
        ("Nina feat.Otis", {"nina"}),
        ("Nina Simone/Otis Redding", {"ninasimoneotisredding", "ninasimone"}),
        ("AC/DC", {"acdc"}),
        ("周杰倫、林俊傑", {"周杰倫林俊傑", "周杰倫"}),
        ("Nina (feat. Otis)", {"nina"}),
        ("Various Artists", set()),
    ],
)
def test_the_first_of_several_performers_is_found_unless_they_may_be_one_act(credit, sure):
    assert set(performers(credit).sure) == sure
