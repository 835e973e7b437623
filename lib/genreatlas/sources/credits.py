"""Artist credits: normalise artist names, and separate guests from performers.

Splits group songs by their performers, so two rules are the most important here. Names that differ only in spelling
("The Beatles", "beatles", "Beatles, The"; "Jay-Z", "JAY Z") must map to one artist. A placeholder name ("Various
Artists") must not join unrelated songs. Joint credits ("Simon & Garfunkel", "Tyler, The Creator") are stored whole:
whether two names are one act or two is decided in :mod:`genreatlas.splits.ties`, where all songs are known.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from genreatlas.ids import stable_id

Role = Literal["primary", "album_artist", "guest"]

#: Letters that Unicode does not decompose into a base letter and an accent.
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})


def _fold(name: str) -> str:
    """Case-fold, and remove accents in the range U+0300..U+036F."""
    decomposed = unicodedata.normalize("NFKD", name.replace("’", "'")).casefold()
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if not "\u0300" <= c <= "\u036f"))


def _plain(name: str) -> str:
    return " ".join(_fold(name).split()).strip(" <>[](){}*_.\"'")


#: Placeholder names used by taggers and shops.
_NOBODY = frozenset(
    map(
        _plain,
        (
            "", "?", "-", "anon", "anonymous", "artist", "artist unknown", "n.a", "n/a", "nan", "no artist", "none",
            "not available", "null", "original soundtrack", "ost", "several artists", "soundtrack", "undefined",
            "unknown", "unknown artist", "unknown artists", "unknown performer", "untitled", "v.a", "v/a", "va",
            "various", "various artist", "various artists", "various performers", "various composers",
            "various interprets", "compilation", "compilations", "sampler",
            # Italian, Spanish, Portuguese, Catalan, French, Romanian
            "aa.vv", "aavv", "aa vv", "vv.aa", "vvaa", "vv aa", "artisti vari", "artisti diversi", "autori vari",
            "interpreti vari", "sconosciuto", "artista sconosciuto", "varios", "varios artistas", "artistas varios",
            "varios autores", "varios intérpretes", "desconocido", "artista desconocido", "vários artistas",
            "vários intérpretes", "desconhecido", "artista desconhecido", "diversos", "diversos artistas",
            "diversos intérpretes", "diversos autores", "artistes diversos", "artistes divers", "artistes variés",
            "divers", "divers artistes", "divers interprètes", "inconnu", "artiste inconnu", "interprète inconnu",
            "diverși artiști", "artiști diverși", "artist necunoscut",
            # German, Dutch, Danish, Norwegian, Swedish, Finnish
            "diverse", "diverse interpreten", "diverse künstler", "verschiedene", "verschiedene interpreten",
            "verschiedene künstler", "unbekannt", "unbekannter interpret", "unbekannter künstler", "diversen",
            "diverse artiesten", "verschillende artiesten", "onbekend", "onbekende artiest", "diverse artister",
            "diverse kunstnere", "forskellige kunstnere", "ukendt", "ukendt kunstner", "ukendt artist", "ukjent",
            "ukjent artist", "blandade artister", "diverse artister", "olika artister", "okänd", "okänd artist",
            "eri esittäjiä", "useita esittäjiä", "tuntematon", "tuntematon esittäjä", "tuntematon artisti",
            # Polish, Czech, Slovak, Croatian, Slovene, Hungarian, Turkish
            "różni wykonawcy", "różni artyści", "nieznany", "nieznany wykonawca", "nieznany artysta",
            "různí interpreti", "různí umělci", "neznámý", "neznámý interpret", "rôzni interpreti",
            "rôzni umelci", "neznámy interpret",
            "razni izvođači", "razni izvajalci", "nepoznati izvođač", "különböző előadók", "több előadó",
            "válogatás", "ismeretlen", "ismeretlen előadó", "çeşitli sanatçılar", "karışık", "bilinmeyen",
            "bilinmeyen sanatçı",
            # other scripts
            "разные исполнители", "разные артисты", "разные", "сборник", "неизвестный исполнитель", "неизвестен",
            "неизвестный", "неизвестно", "різні виконавці", "невідомий виконавець", "разни изпълнители",
            "неизвестен изпълнител", "διάφοροι", "διάφοροι καλλιτέχνες", "άγνωστος", "άγνωστος καλλιτέχνης",
            "אמנים שונים", "אמן לא ידוע", "فنانون متنوعون", "فنانون مختلفون", "فنان غير معروف",
            "群星", "华语群星", "華語群星", "合辑", "合輯", "佚名", "未知", "未知艺术家", "未知藝術家", "未知艺人",
            "未知藝人", "未知歌手", "不明", "不明なアーティスト", "アーティスト不明", "オムニバス",
            "ヴァリアス・アーティスト", "ヴァリアス・アーティスツ",
            "여러 아티스트", "다양한 아티스트", "알 수 없음", "알 수 없는 아티스트",
        ),
    )
)  # fmt: skip
#: Starts of placeholder names such as "Various Artists - Trance 2001".
_NOBODY_AT_START = re.compile(
    r"(?:various artists|unknown artist|aa\.? ?vv\.?|varios artistas|verschiedene interpreten)\s|"
    r"(?:various|v\.?a\.?|v/a)\s+[-:–—]\s"
)

_FEATURING = re.compile(r"(?:\s+|\s*[(\[]\s*)(?:(?:feat|ft)(?:\.\s*|\s+)|featuring\s+|w/\s*)", re.IGNORECASE)
#: Guests in titles, recognised only in brackets ("(with X)", "[feat. X]") or as "feat. X" at the end of the title.
_TITLE_GUESTS = (
    re.compile(r"[(\[]\s*(?:(?:feat|ft)(?:\.\s*|\s+)|(?:featuring|with)\s+)([^)\]]+)[)\]]", re.IGNORECASE),
    re.compile(r"\s(?:(?:feat|ft)(?:\.\s*|\s+)|featuring\s+)([^()\[\]]+?)(?:\s+-\s.*)?$", re.IGNORECASE),
)
#: Separators between the values of a tag field; no name contains them.
_VALUES = re.compile(r"\s*[;\x00]\s*")
#: Separators of two artists that may also be part of one name. A comma before an article is always part of a name.
_JOINT = re.compile(
    r"\s*,\s*(?!(?:the|jr\.?|sr\.?)\b)|\s*[&/／]\s*|\s+(?:\+|and|et|y|und|och|og|e|x|×)\s+", re.IGNORECASE
)
_COMMA = re.compile(r"\s*,(?!\s*(?:the|jr\.?|sr\.?)\b)\s*", re.IGNORECASE)
#: Separators that always separate two artists.
_APART = re.compile(
    r"\s+(?:vs\.?|versus|with|con|avec|mit|pres\.?|presents)\s+|\s*[、|｜]\s*",
    re.IGNORECASE,
)
#: Start of a backing band's name, which is not an artist of its own: "Bob Marley & The Wailers".
_BACKING = re.compile(r"(?:the|his|her|their|los|las|les|die|friends)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Credit:
    """One artist of a song. The first credit of a song is its performer."""

    artist_id: str
    name: str
    role: Role


@dataclass(frozen=True)
class Performers:
    """Keys (:func:`artist_key`) of the performers of a song, as derived from its credit.

    Attributes
    ----------
    whole : credit without guests; "" if it contains no artist.
    sure : keys by which songs are grouped: the whole credit, its inverted form if it may be a sort name ("Bowie,
        David"), and the first of several artists if the credit cannot be the name of one act.
    maybe : first name and the other names of credits that may be one act or several ("Simon & Garfunkel", "Drake &
        Rihanna").
    named : all artists, including guests.
    """

    whole: str = ""
    sure: tuple[str, ...] = ()
    maybe: tuple[tuple[str, tuple[str, ...]], ...] = ()
    named: frozenset[str] = frozenset()


def normalise_artist(name: str) -> str:
    """Normalise an artist name: without case, accents, punctuation and leading article.

    Returns
    -------
    str : "" only for blank names. Names that consist of punctuation ("!!!") are not changed.
    """
    plain = " ".join(_fold(name).split())
    if plain.endswith(", the"):
        plain = plain.removesuffix(", the")
    words = "".join(c for c in plain.replace("&", " and ") if _in_word(c) or c.isspace()).split()
    if words[0:1] == ["the"] and words[1:] not in ([], ["the"]):
        words = words[1:]
    return " ".join(words) or plain


@lru_cache(maxsize=1 << 16)
def artist_key(name: str) -> str:
    """Key that all spellings of one artist share.

    In addition to :func:`normalise_artist`, spaces are removed ("Jay-Z", "JAY Z"), "+" between words becomes "and",
    letters such as ø become their Latin base, "$" and "!" inside a word become the letters that they replace ("Ke$ha",
    "P!nk"), and invisible characters are removed. Accents that form another letter in a non-Latin script (й, が) are
    kept.

    Returns
    -------
    str : "" only for blank names. Names that consist of punctuation ("!!!", "+/-") are kept, without spaces.
    """
    decomposed = unicodedata.normalize("NFKD", name.replace("’", "'")).casefold()
    kept: list[str] = []
    base = ""
    for c in unicodedata.normalize("NFKD", decomposed):
        if "\u0300" <= c <= "\u036f":
            if (c == "\u0306" and base in "иу") or (c == "\u0308" and base == "і"):
                kept.append(c)
        elif unicodedata.category(c) != "Cf" and not "\ufe00" <= c <= "\ufe0f":
            kept.append(c)
            base = c
    text = unicodedata.normalize("NFC", "".join(kept)).translate(_LETTERS)
    plain = " ".join(text.split())
    text = re.sub(r"(?<=\w)\$|\$(?=\w)", "s", plain)
    text = re.sub(r"(?<=[^\W\d_])!(?=[^\W\d_])", "i", text)
    text = re.sub(r"\s\+\s|&", " and ", text)
    text = re.sub(r"^(.+), ?the$", r"\1", text)
    words = "".join(c for c in text if _in_word(c) or c.isspace()).split()
    if words[0:1] == ["the"] and words[1:] not in ([], ["the"]):
        words = words[1:]
    return "".join(words) or "".join(plain.split())


def is_no_artist(name: str | None) -> bool:
    """Whether a name is a placeholder: empty, Unknown, Various Artists and similar names."""
    plain = _plain(name or "")
    return plain in _NOBODY or _NOBODY_AT_START.match(plain) is not None or artist_key(name or "") in _nobody_keys()


@lru_cache(maxsize=1)
def _nobody_keys() -> frozenset[str]:
    """Keys of placeholder names that are not ambiguous without their spaces ("AA. VV.")."""
    return frozenset(key for key in map(artist_key, _NOBODY) if len(key) > 3)


@lru_cache(maxsize=1 << 16)
def artist_id(name: str) -> str:
    """Hash of the normalised name. It is stored, so its definition never changes. Compare by :func:`artist_key`."""
    return stable_id("artist", normalise_artist(name))


def split_guests(artist: str) -> tuple[str, tuple[str, ...]]:
    """Split "A feat. B & C" into A and its guests. In a tag with several values ("A; B"), the first is primary."""
    credited, *featured = _FEATURING.split(artist.strip())
    names = [name for name in _VALUES.split(credited) if name] or [""]
    known = [name for name in names if not is_no_artist(name)] or names
    guests = [guest for part in featured for guest in _guests(part.strip(" )]"))]
    return known[0].strip(), tuple(guest for guest in (*known[1:], *guests) if guest)


def title_guests(title: str) -> tuple[str, ...]:
    """Guests in a title, such as "I Don't Care (with Justin Bieber) - Remix"."""
    found = [match for pattern in _TITLE_GUESTS for match in pattern.findall(title)]
    return tuple(dict.fromkeys(guest for part in found for guest in _guests(part)))


def credits(
    artist: str | None = None,
    *,
    album_artist: str | None = None,
    title: str | None = None,
    guests: Iterable[str] = (),
) -> tuple[Credit, ...]:
    """All distinct credits of a song in order: performer, album artist (if different), guests.

    Placeholder names are left out, so a song without an artist has no credits. If only the album artist is known, it
    comes first. Guests are credited only beside a performer or an album artist.

    Parameters
    ----------
    artist : credit of the song, which may contain guests.
    album_artist : credit of the album.
    title : title of the song, which may contain guests.
    guests : further guests.
    """
    primary, featured = split_guests(artist or "")
    named: list[tuple[str, Role]] = [(primary, "primary")]
    if album_artist:
        named.append((split_guests(album_artist)[0], "album_artist"))
    named = [(name, role) for name, role in named if not is_no_artist(name)]
    if named:
        extra = (*featured, *guests, *title_guests(title or ""))
        named.extend((name, "guest") for name in extra if not is_no_artist(name))
    found: dict[str, Credit] = {}
    for name, role in named:
        identity = artist_id(name)
        found.setdefault(identity, Credit(identity, name, role))
    return tuple(found.values())


@lru_cache(maxsize=1 << 16)
def performers(credit: str) -> Performers:
    """Parse the performers of a song from its credit, such as ``Daft Punk feat. Pharrell; Nile Rodgers``."""
    whole, guests = split_guests(credit)
    if is_no_artist(whole):
        return Performers()
    key = artist_key(whole)
    sure, maybe = {key: None}, {}
    others: list[str] = []
    if (halves := whole.split(",")) and len(halves) == 2 and all(half.strip() for half in halves):
        sure[artist_key(f"{halves[1]} {halves[0]}")] = None
    for separator, apart in ((_APART, True), (_JOINT, False), (re.compile(r"\s*,\s*"), False)):
        lead, *partners = [name.strip() for name in separator.split(whole) if name.strip()] or [whole]
        others += partners
        lead_key = artist_key(lead)
        if partners and not is_no_artist(lead) and lead_key not in sure:
            if apart or (separator is _JOINT and any(_stands_alone(name) for name in (lead, *partners))):
                sure[lead_key] = None
            else:
                maybe[lead_key] = tuple(artist_key(name) for name in partners)
    named = everybody(guests) | {*sure, *maybe, *(artist_key(name) for name in others if not is_no_artist(name))}
    return Performers(key, tuple(sure), tuple(maybe.items()), named)


def everybody(guests: Iterable[str]) -> frozenset[str]:
    """Keys of guests, and of each part of guests that may be two artists ("Shovels & Rope")."""
    names = {name for guest in guests for name in (guest, *_JOINT.split(guest)) if not is_no_artist(name)}
    return frozenset(map(artist_key, names))


def _stands_alone(name: str) -> bool:
    """Whether a part of a joint credit is a full name or a backing band, so that the credit is not one name."""
    return len(name.split()) > 1 or _BACKING.match(name) is not None


def _guests(text: str) -> list[str]:
    """Split a list of guests into names. A part that may be the name of one act ("Shovels & Rope") is not split."""
    found = []
    for value in (part for half in _VALUES.split(text) for part in _APART.split(half)):
        names = [name for name in _JOINT.split(value) if name]
        listed = [name for name in _COMMA.split(value) if name]
        if 1 < len(listed) < len(names) and all(len(name.split()) == 1 for name in names):
            listed = [value]  # "Earth, Wind & Fire"
        for piece in listed:
            parts = [name for name in _JOINT.split(piece) if name]
            apart = all(len(name.split()) > 1 and not _BACKING.match(name) for name in parts)
            found += parts if apart else [piece]
    return [name.strip() for name in found if name.strip()]


def _in_word(character: str) -> bool:
    """Whether a character is a letter or digit of any script, or a combining mark, a letter in some ("ि", "ั")."""
    return character.isalnum() or unicodedata.category(character)[0] == "M"
