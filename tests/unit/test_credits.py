import pytest

from genreatlas.sources.credits import artist_id, credits, is_no_artist, normalise_artist, split_guests, title_guests


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


def test_different_artists_keep_different_names():
    names = ["The The", "!!!", "???", "Sunn O)))", "P!nk", "AC/DC", "きゃりー", "ぎゃりー", "Ария", "The", "A"]
    assert len({normalise_artist(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    "name",
    ["", "  ", None, "Unknown", "<unknown>", "[Unknown Artist]", "Various Artists", "VARIOUS", "V.A.", "va", "N/A",
     "Verschiedene Künstler", "Vários Artistas", "nan", "Various Artists - Trance 2001"],
)  # fmt: skip
def test_empty_unknown_and_various_are_no_artist(name):
    assert is_no_artist(name)


@pytest.mark.parametrize("name", ["Unknown Mortal Orchestra", "Vanilla Ice", "Nana", "Various Cruelties", "!!!"])
def test_names_that_only_look_like_nobody_are_artists(name):
    assert not is_no_artist(name)


def test_guests_follow_the_primary_artist_and_never_lead():
    assert rows("Jay-Z feat. Alicia Keys & Swizz Beatz") == [
        ("Jay-Z", "primary"), ("Alicia Keys", "guest"), ("Swizz Beatz", "guest"),
    ]  # fmt: skip
    assert rows("Various Artists feat. Alicia Keys") == []
    assert rows("", guests=["Alicia Keys"]) == []


def test_the_album_artist_leads_unless_it_is_nobody():
    assert rows("Jay-Z ft. Rihanna", album_artist="Kanye West") == [
        ("Kanye West", "album_artist"), ("Jay-Z", "primary"), ("Rihanna", "guest"),
    ]  # fmt: skip
    assert rows("Jay-Z", album_artist="Various Artists") == [("Jay-Z", "primary")]
    assert rows("The Beatles", album_artist="Beatles") == [("Beatles", "album_artist")]


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
    assert rows("Ed Sheeran", title="I Don't Care (with Justin Bieber)") == [
        ("Ed Sheeran", "primary"), ("Justin Bieber", "guest"),
    ]  # fmt: skip
