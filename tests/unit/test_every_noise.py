"""Every Noise's pages: both generations of the map, the list and a genre's page, whole rows compared."""

# ruff: noqa: E501  (markup is kept as it is served)

import gzip
import quopri
import re
from datetime import date

import pytest

from genreatlas.config import load_config
from genreatlas.errors import InputError, Reason
from genreatlas.sources.every_noise import (
    ListedGenre,
    MappedArtist,
    MappedGenre,
    Neighbour,
    PlaylistLink,
    genre_slug,
    parse_genre_page,
    parse_list,
    parse_list_page,
    parse_map,
    parse_map_page,
)
from genreatlas.sources.every_noise.names import example
from genreatlas.sources.every_noise.page_rows import saved_pages
from genreatlas.steps import scrape_genres

T1, T2, T3 = "4U8dlWRlFeLv32fPyb825A", "1V6gIisPpYqgFeWbMLI0bB", "0vEpi6n5ruwaatpWPYwrWC"
P1, P2, P3, P4, P5 = (f"{n}yckyfEZtFkkq7UPXHbLwi" for n in range(1, 6))

#: A page of 2022: bare ids, class and scan, no roles; scripts that look like markup.
MAP_2022 = f"""<html><head><meta http-equiv="Content-Type" content="text/html;charset=utf-8" >
<script>var a = '<div id=item9 class="genre scanme">not a genre</div>';</script>
<title>Every Noise at Once</title></head><body>
<div class=title><a href="engenremap.html">Every Noise at Once</a>
&nbsp; <a href="https://open.spotify.com/user/thesoundsofspotify/playlist/{P1}">playlist</a></div>
<div class=canvas style="width: 1609px; height: 20916px; top: 64px">
<div id=item1 preview_url="https://p.scdn.co/mp3-preview/5c43" class="genre scanme" scan=true style="color: #B18722; top: 100px; left: 200px; font-size: 100%" onclick="playx(&quot;{T1}&quot;, &quot;r&amp;b en espanol&quot;, this);" title="e.g. Meade &quot;Lux&quot; Lewis &quot;Rock &amp; Roll (From &quot;Dirty Dancing&quot;)&quot;">r&amp;b en espanol<a class=navlink href="engenremap-rbenespanol.html" onclick="event.stopPropagation();" >&raquo;</a> </div>

<div id=item2 preview_url="" class="genre scanme"  style="color: #abc; top: 300px; left: 1200px; font-size: 160%" onclick="playx(&quot;&quot;, &quot;children's music&quot;, this);" title="(no sample available)">children's music<a class=navlink href="engenremap-childrensmusic.html">&raquo;</a> </div>
</div></body></html>"""

#: Pages of 2023 have roles and keyboard handlers; saved by a browser, all is quoted and links are absolute.
MAP_2023_SAVED = f"""<!DOCTYPE html><html><body><div class="canvas" role="main">
<div id="item1" preview_url="https://p.scdn.co/mp3-preview/5c43" class="genre scanme" scan="true" style="color: rgb(177, 135, 34); top: 100px; left: 200px; font-size: 100%;" role="button" tabindex="0" onkeydown="kb(event);" onclick="playx(&quot;{T1}&quot;, &quot;r&amp;b en espanol&quot;, this);" title="e.g. Meade &quot;Lux&quot; Lewis &quot;Rock &amp; Roll (From &quot;Dirty Dancing&quot;)&quot;">r&amp;b en espanol<a class="navlink" href="https://everynoise.com/engenremap-rbenespanol.html" role="button" tabindex="0">»</a> </div>
<div id="item2" class="genre scanme" style="font-size: 160%; left: 1200px; top: 300px; color: #aabbcc" onclick='playx("", "children&apos;s music", this);' title='(no sample available)'>children's music<a class="navlink" href="https://web.archive.org/web/20231119010203/https://everynoise.com/engenremap-childrensmusic.html#tunnel">»</a></div>
</div></body></html>"""

GENRES = (
    MappedGenre(
        slug="rbenespanol",
        name="r&b en espanol",
        position=1,
        x=200,
        y=100,
        x_scaled=0.0,
        y_scaled=0.0,
        colour="#b18722",
        weight=100.0,
        example_artist='Meade "Lux" Lewis',
        example_track='Rock & Roll (From "Dirty Dancing")',
        example_track_id=T1,
        preview_url="https://p.scdn.co/mp3-preview/5c43",
    ),
    MappedGenre(
        slug="childrensmusic",
        name="children's music",
        position=2,
        x=1200,
        y=300,
        x_scaled=1.0,
        y_scaled=1.0,
        colour="#aabbcc",
        weight=160.0,
        example_artist=None,
        example_track=None,
        example_track_id=None,
        preview_url=None,
    ),
)


@pytest.mark.parametrize("page", [MAP_2022, MAP_2022.encode(), MAP_2022.replace("\n", "\r\n"), MAP_2023_SAVED])
def test_both_generations_of_the_map_hold_the_same_genres(page: str | bytes) -> None:
    assert parse_map(page) == GENRES


def _item(name: str, href: str | None = None, number: int = 1, more: str = "") -> str:
    link = f'<a class=navlink href="{href}">&raquo;</a>' if href else ""
    return f'<div id=item{number} class="genre scanme" style="color: #111111; top: 1px; left: 2px; font-size: 100%"{more}>{name}{link} </div>'


def test_slugs_come_from_links_and_else_from_the_name() -> None:
    page = "".join(
        [
            _item("piano blues", "engenremap-oldname.html"),
            _item("r&amp;b en espanol"),
            _item("música pitiusa"),
            _item("트로트", "engenremap-teuroteu.html"),
            _item("발라드"),
            _item("l'art &lt;brut&gt;"),
        ]
    )
    assert [(genre.slug, genre.name) for genre in parse_map(page)] == [
        ("oldname", "piano blues"),
        ("rbenespanol", "r&b en espanol"),
        ("msicapitiusa", "música pitiusa"),
        ("teuroteu", "트로트"),
        ("발라드", "발라드"),
        ("lartbrut", "l'art <brut>"),
    ]
    assert genre_slug("!!!") and genre_slug("!!!") != genre_slug("???")


def test_two_names_with_one_slug_stay_two_genres_in_any_order_and_a_repeated_one_is_one() -> None:
    items = [_item("hip-hop"), _item("hiphop"), _item("hip hop"), _item("hiphop")]
    genres = {genre.name: genre.slug for genre in parse_map("".join(items))}
    assert genres["hiphop"] == "hiphop"
    assert len(set(genres.values())) == 3 and all(slug.startswith("hiphop") for slug in genres.values())
    assert {genre.name: genre.slug for genre in parse_map("".join(reversed(items)))} == genres
    assert len(parse_map("".join(items))) == 3


def test_bare_attributes_and_quotation_marks_within_quotation_marks_are_read() -> None:
    page = (
        f"<div id=item1 preview_url=https://p.scdn.co/a class=genre style='color:#010203;top:5.6px;left:-3px' "
        f'onclick="playx("{T2}", "pop", this);" title="e.g. Demi Lovato "Heart Attack"">pop'
        f"<a class=navlink href=engenremap-pop.html>&raquo;</a></div>"
    )
    assert parse_map(page) == (
        MappedGenre(
            "pop", "pop", 1, -3, 6, None, None, "#010203", None, "Demi Lovato", "Heart Attack", T2,
            "https://p.scdn.co/a",
        ),
    )  # fmt: skip


def test_boxes_of_a_genre_page_are_not_on_the_map_and_an_empty_page_has_no_genres() -> None:
    assert parse_map(GENRE_2022.replace("id=item", "id=nearbyitem")) == ()
    assert parse_map("<html><body>403 Forbidden</body></html>") == ()
    assert parse_map(b"") == ()


def test_pages_in_other_encodings_are_read() -> None:
    assert parse_map(_item("música").encode("windows-1252"))[0].name == "música"
    declared = '<meta charset="iso-8859-2">' + _item("muzică").replace("ă", "ă")
    assert parse_map(declared.encode("iso-8859-2"))[0].name == "muzică"
    assert parse_map(b"\xef\xbb\xbf" + _item("트로트").encode())[0].name == "트로트"


@pytest.mark.parametrize(
    ("title", "artist", "track"),
    [
        ('e.g. Artist "Track"', "Artist", "Track"),
        ('e.g. "Weird Al" Yankovic "Eat It"', '"Weird Al" Yankovic', "Eat It"),
        ('e.g. Clarence "Gatemouth" Brown "Say "Hi""', 'Clarence "Gatemouth" Brown', 'Say "Hi"'),
        ('e.g. Freeez "I.O.U. - 7" Version"', "Freeez", 'I.O.U. - 7" Version'),
        ('e.g. Mark Ayres "Bells (From "The Exorcist")"', "Mark Ayres", 'Bells (From "The Exorcist")'),
        ('e.g. J. S. Bach ""Was mir behagt" Cantata"', "J. S. Bach", '"Was mir behagt" Cantata'),
        ('e.g. L. v. Beethoven "No. 14 "Moonlight" in C", Op. 27"', "L. v. Beethoven", 'No. 14 "Moonlight" in C", Op. 27'),
        ("e.g. Artist alone", "Artist alone", None),
        ("(no sample available)", None, None),
        ("", None, None),
        (None, None, None),
    ],
)  # fmt: skip
def test_an_example_is_an_artist_and_a_track(title: str | None, artist: str | None, track: str | None) -> None:
    assert example(title) == (artist, track)


GENRE_2022 = f"""<html><head><title>Every Noise at Once - break beat</title></head><body>
<div class=title><a href="engenremap.html">Every Noise at Once</a> &middot; break beat
&nbsp; <a style="color: gray" href="research.cgi?mode=genre&name=break beat">list</a>
&nbsp; <a href="https://open.spotify.com/playlist/{P1}" title="listen to The Sound of Break Beat on Spotify">playlist</a>
&nbsp; <a href="https://open.spotify.com/user/particledetector/playlist/{P2}" title="a shorter introduction">intro</a>
&nbsp; <a href="https://embed.spotify.com/?uri=spotify:user:particledetector:playlist:{P3}">pulse</a>
&nbsp; <a href="https://embed.spotify.com/?uri=spotify:playlist:{P4}">edge</a>
&nbsp; <a href="spotify:playlist:{P5}" title="fans' favorites of 2021">2021</a>
&nbsp; <a href="new_releases_by_genre.cgi?genre=breakbeat&region=US">new</a>
</div>
<div class=canvas>
<div id=item1 preview_url="" class="genre scanme"  style="color: #e73e63; top: 169px; left: 534px; font-size: 100%" onclick="playx(&quot;&quot;, &quot;Plump DJs&quot;, this);" title="(no sample available)">Plump DJs<a class=navlink href="spotify:artist:{T1}" onclick="event.stopPropagation();" >&raquo;</a> </div>
<div id=item2 preview_url="https://p.scdn.co/mp3-preview/e704" class="genre scanme" scan=true style="color: #c38f80; top: 137px; left: 1400px; font-size: 123%" onclick="playx(&quot;{T3}&quot;, &quot;A &amp; B&quot;, this);" title="e.g. A &amp; B &quot;Heart Beat&quot;">A &amp; B<a class=navlink href="artistprofile.html?id={T2}" target=artistprofile>&raquo;</a> </div>
</div>
<div id=tunnel><div class=canvas>
<div id=nearbyitem1 class="genre" style="color: #bd8474; top: 148px; left: 237px; font-size: 100%">danish electronic<a class=navlink href="engenremap-danishelectronic.html#tunnel">&raquo;</a> </div>
<div id=nearbyitem2 class="genre" style="color: #d1777a; top: 107px; left: 152px; font-size: 240%">break beat<a class=navlink href="everynoise1d.cgi?scope=all&root=break beat">&raquo;</a> </div>
</div></div><div id=mirror><div class=canvas>
<div id=mirroritem1 class="genre" style="color: #b2c6a3; top: 300px; left: 99px; font-size: 139%">khayal<a class=navlink href="engenremap-khayal.html#tunnel">&raquo;</a> </div>
</div></div>
<div>based on data tracked and analyzed for 5,899 genre-shaped distinctions by Spotify as of 2022-06-01.</div>
</body></html>"""

ARTISTS = (
    MappedArtist(1, "Plump DJs", T1, 534, 169, "#e73e63", 100.0, None, None, None),
    MappedArtist(2, "A & B", T2, 1400, 137, "#c38f80", 123.0, "Heart Beat", T3, "https://p.scdn.co/mp3-preview/e704"),
)
NEIGHBOURS = (
    Neighbour("nearby", 1, "danishelectronic", "danish electronic", 237, 148, "#bd8474", 100.0),
    Neighbour("opposite", 1, "khayal", "khayal", 99, 300, "#b2c6a3", 139.0),
)
PLAYLISTS = (
    PlaylistLink("sound", None, P1, None),
    PlaylistLink("intro", None, P2, "particledetector"),
    PlaylistLink("pulse", None, P3, "particledetector"),
    PlaylistLink("edge", None, P4, None),
    PlaylistLink("year", 2021, P5, None),
)


def test_a_genre_page_holds_artists_boxes_and_playlists_with_their_roles() -> None:
    page = parse_genre_page(GENRE_2022)
    assert (page.slug, page.name, page.as_of, page.complete) == ("breakbeat", "break beat", date(2022, 6, 1), True)
    assert page.artists == ARTISTS
    assert page.neighbours == NEIGHBOURS
    assert page.playlists == PLAYLISTS
    assert page.playlist_id() == P1 and page.playlist_id("edge") == P4


def test_a_genre_page_of_2023_has_its_list_page_as_its_own_link_and_a_subtitle() -> None:
    page = parse_genre_page(
        '<body><div class=title><a href="engenremap.html">Every Noise at Once</a> &middot; piano blues</div>'
        '<div id=nearbyitem1 class="genre" role=button tabindex=0 onKeyDown="kb(event);" style="top: 1px">piano blues'
        '<a class=navlink href="everynoise1d-pianoblues.html" role=button>&raquo;</a> </div>'
    )
    assert (page.slug, page.name, page.neighbours, page.as_of) == ("pianoblues", "piano blues", (), None)


def test_a_genre_whose_name_breaks_its_own_link_keeps_its_slug_and_its_neighbours() -> None:
    page = parse_genre_page(
        "<body><div class=title>Every Noise at Once &middot; rock &amp; roll</div>"
        '<div id=nearbyitem1 class="genre">rock &amp; roll'
        '<a class=navlink href="everynoise1d.cgi?scope=all&root=rock & roll">&raquo;</a> </div>'
        '<div id=nearbyitem2 class="genre">rock<a class=navlink href="engenremap-rock.html#tunnel">&raquo;</a> </div>'
    )
    assert (page.slug, page.name) == ("rockroll", "rock & roll")
    assert page.neighbours == (Neighbour("nearby", 2, "rock", "rock", None, None, None, None),)


def test_a_page_that_was_cut_off_says_so_and_keeps_what_it_has() -> None:
    page = parse_genre_page(GENRE_2022[: GENRE_2022.index("<div id=mirror>")])
    assert not page.complete
    assert page.artists == ARTISTS and page.neighbours == NEIGHBOURS[:1]


def test_the_only_playlist_of_an_old_page_is_its_sound() -> None:
    page = parse_genre_page(f'<div class=title>pop <a href="spotify:user:x:playlist:{P1}">listen</a></div>')
    assert page.playlists == (PlaylistLink("sound", None, P1, "x"),)


#: Rows of the list of 2015, 2022 and 2023, and heads and rows that name no genre.
LIST = f"""<table><tr><th>rank<th>genre</tr>
<tr valign=top class=>
   <td align=right class=note  style="font-size: 20px; line-height: 24px" >1</td>
   <td  style="font-size: 20px"> <a href="https://embed.spotify.com/?uri=spotify:user:thesoundsofspotify:playlist:{P1}" class=note target=spotify title="See this playlist" onclick="linksync('https://embed.spotify.com/?uri=spotify:user:thesoundsofspotify:playlist:{P1}');">&#x260A;</a></td>
   <td class=note  style="font-size: 20px"><a href="?root=r&b en espanol&scope=mainstream only" title="Re-sort the list starting from here."  style="color: #B18610">r&amp;b en espanol</a></td>
</tr>
<tr valign="top"><td class="note">
  2
 </td><td><a class="note" href="https://embed.spotify.com/?uri=spotify:playlist:{P2}">☊</a></td>
 <td class="note"><a href="everynoise1d-numetal.html" style="color: #6B8D72">
   nu metal
 </a></td></tr>
<tr><td>3<td><td><a href="?root=1980s&scope=all" style="color: #6B8D72">1980s</a>
<tr><td>4<td><a href="https://open.spotify.com/playlist/{P3}">&#x260A;</a><td><a href="https://web.archive.org/web/2023/https://everynoise.com/everynoise1d-trot.html">트로트</a>
<tr><td>4<td><a href="https://open.spotify.com/playlist/{P3}">&#x260A;</a><td><a href="everynoise1d-trot.html">트로트</a>
<tr><td><a href="about.html">about this list</a></td></tr></table>"""


def test_the_list_gives_rank_playlist_and_name_of_every_genre() -> None:
    assert parse_list(LIST) == (
        ListedGenre(1, "rbenespanol", "r&b en espanol", "#b18610", P1),
        ListedGenre(2, "numetal", "nu metal", "#6b8d72", P2),
        ListedGenre(3, "1980s", "1980s", "#6b8d72", None),
        ListedGenre(4, "trot", "트로트", None, P3),
    )


def atlas(genres=40, stated=True, end="</body></html>", item=None):
    """A map of so many genres with its foot, which says how many there are."""
    item = item or (
        '<div id=item{n} class="genre scanme" style="color: #111111; top: {n}px; left: {n}7px; font-size: 100%" '
        'title="e.g. Café &quot;Señal&quot;">música {n}<a class=navlink href="engenremap-msica{n}.html">&raquo;</a></div>'
    )
    foot = f"<div>tracked for {genres:,} genre-shaped distinctions by Spotify as of 2022-03-21.</div>" if stated else ""
    items = "\n".join(item.format(n=n) for n in range(1, genres + 1))
    head = '<html><head><meta http-equiv="Content-Type" content="text/html;charset=utf-8" ></head><body>'
    return f"{head}<div class=canvas>{items}</div>{foot}{end}"


NAMES = [f"música {n}" for n in range(1, 41)]
MHTML = (
    b'From: <Saved by Blink>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related;\r\n\tboundary="--X"\r\n\r\n'
    b"----X\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n%s\r\n----X--\r\n"
)
#: The map as browsers, archives and tools save it.
SAVED = {
    "as served": atlas().encode(),
    "gzip": gzip.compress(atlas().encode()),
    "gzip in parts": gzip.compress(atlas().encode()[:3000]) + gzip.compress(atlas().encode()[3000:]),
    "UTF-16": atlas().encode("utf-16"),
    "one file (MHTML)": MHTML % quopri.encodestring(atlas().encode()).replace(b"\n", b"\r\n"),
    "Windows-1252": atlas().replace("charset=utf-8", "charset=windows-1252").encode("windows-1252"),
    "single quotes": atlas().replace('"', "'").encode(),
    "no optional tags": atlas(end='<center class="sigil">x<audio id=spotifyplayer></audio>').encode(),
    "upper case": atlas().replace("<div", "<DIV").replace("class=", "CLASS=").replace("style=", "STYLE=").encode(),
    "absolute links": atlas().replace('href="', 'href="https://everynoise.com/').encode(),
    "local links": atlas().replace('href="', 'href="./Every Noise at Once_files/').encode(),
    "styles as a browser writes them": re.sub(
        r"color: #111111; top: (\d+)px; left: (\d+)px", r"left:\2px;color:rgb(17, 17, 17);top:\1.00px", atlas()
    ).encode(),
    "one bad byte": atlas().encode().replace("é".encode(), b"\xe9", 1),
    "a bad byte before all others": b"<!-- \xff -->" + atlas().encode(),
    "bad bytes between": atlas().encode().replace(b"</div>", b"</div>\x93\xff", 12),
    "marks in titles": atlas().replace("&quot;", '"').encode(),
}  # fmt: skip


@pytest.mark.parametrize("page", SAVED.values(), ids=SAVED)
def test_a_map_is_the_same_whoever_saved_it(page):
    found = parse_map_page(page)
    assert found.problem(40) == ""
    assert [genre.name for genre in found.genres] == NAMES
    assert {genre.slug for genre in found.genres} == {f"msica{n}" for n in range(1, 41)}
    assert [(genre.x, genre.y, genre.colour) for genre in found.genres[:2]] == [(17, 1, "#111111"), (27, 2, "#111111")]
    assert {genre.example_track for genre in found.genres} == {"Señal"}


def test_a_genre_that_nobody_closed_ends_where_the_next_begins():
    for count in (1, 40):
        found = parse_map_page(atlas().replace("</div>", "", count))
        assert [genre.name for genre in found.genres][:39] == NAMES[:39]


CUT = {
    "at half": (atlas().encode()[: len(atlas()) // 2], "is truncated"),
    "gzip at half": (gzip.compress(atlas().encode(), 0)[:4000], "is truncated"),
    "after the last genre": (atlas(end="").encode(), "is truncated"),
    "at half, with an end": (
        re.sub("<div id=item20 .*<div id=item40 ", "<div id=item40 ", atlas(), flags=re.DOTALL).encode(),
        "has 20 genres, but states that it has 40",
    ),
    "two halves": ((atlas() + atlas()[: len(atlas()) // 2]).encode(), "is truncated"),
    "without styles": (re.sub(r' style="[^"]*"', "", atlas()).encode(), "has positions of 0 of 40 genres"),
    "without places": (re.sub(r" (top|left): \d+px;", "", atlas()).encode(), "has positions of 0 of 40 genres"),
    "half without styles": (re.sub(r' style="[^"]*"', "", atlas(), count=20).encode(), "positions of 20 of 40 genres"),
    "all in one place": (re.sub(r"(top|left): \d+px", r"\1: 0px", atlas()).encode(), "styles were stripped or changed"),
    "another page": (b"<html><body>Free WiFi</body></html>", "has 0 genres"),
    "nothing": (b"", "has 0 genres"),
}


@pytest.mark.parametrize(("page", "problem"), CUT.values(), ids=CUT)
def test_a_saved_map_that_is_cut_off_or_stripped_is_an_error_before_any_table_is_touched(tmp_path, page, problem):
    (tmp_path / "map.html").write_bytes(page)
    config = load_config([], [f'every_noise.map="{tmp_path / "map.html"}"', "every_noise.floor=3"])
    with pytest.raises(InputError, match=problem):
        scrape_genres.run(None, config)


def test_a_saved_list_that_is_cut_off_is_an_error_before_any_table_is_touched(tmp_path):
    (tmp_path / "map.html").write_text(atlas())
    whole = f"<html><body>{LIST}</body></html>"
    assert parse_list_page(whole).problem == "" and parse_list_page(gzip.compress(whole.encode())).problem == ""
    (tmp_path / "list.html").write_text(whole[: whole.index("<tr><td>3")])
    files = [f'every_noise.{name}="{tmp_path / name}.html"' for name in ("map", "list")]
    with pytest.raises(InputError, match=r"list: .* is truncated after 2 genres"):
        scrape_genres.run(None, load_config([], [*files, "every_noise.floor=3"]))


@pytest.mark.parametrize(
    ("page", "reason", "words"),
    [
        (GENRE_2022[: GENRE_2022.index("<div id=mirror>")], Reason.INCOMPLETE_BODY, "truncated"),
        (GENRE_2022.replace("break beat", "techno"), Reason.WRONG_CONTENT, "it is the page of 'techno'"),
        (re.sub(r' style="[^"]*"', "", GENRE_2022), Reason.WRONG_CONTENT, "styles were stripped"),
        (MAP_2022, Reason.WRONG_CONTENT, "is not a genre's page"),
        ("<html><body>403</body></html>", Reason.WRONG_CONTENT, "it is not a genre's page"),
    ],
)
def test_a_genre_page_that_is_not_the_whole_page_of_its_genre_has_a_reason(page, reason, words):
    found = parse_genre_page(page).problem("breakbeat", "break beat")
    assert found is not None and found[0] is reason and words in found[1]
    assert parse_genre_page(GENRE_2022).problem("breakbeat", "break beat") is None


def test_saved_genre_pages_are_found_under_the_names_that_browsers_and_people_give_them(tmp_path):
    names = (
        "engenremap-pop.html", "engenremap-Pop_2022-06-13.html", "engenremap-pop (1).htm", "engenremap-rock.html.gz",
        "engenremap-1980s.html", "Every Noise at Once - break beat.html", "Every Noise at Once - x.mhtml", "other.html",
    )  # fmt: skip
    for name in names:
        (tmp_path / name).write_text(GENRE_2022)
    (tmp_path / "Every Noise at Once.html").write_text(MAP_2022)
    found = {slug: sorted(page.path.name for page in pages) for slug, pages in saved_pages(str(tmp_path)).items()}
    assert found == {
        "pop": sorted(names[:3]), "rock": [names[3]], "1980s": [names[4]], "breakbeat": sorted(names[5:7]),
    }  # fmt: skip
