"""Where genres lie on the world's map, what they are called, and how they sound in numbers."""

import colorsys
import random
from collections.abc import Sequence
from dataclasses import dataclass

_MANNERS = (
    "", "deep", "dark", "modern", "classic", "alternative", "progressive", "minimal", "gothic", "lo-fi", "acoustic",
    "experimental", "vintage", "christian", "underground", "cosmic", "melodic", "slow", "instrumental", "neo",
    "jungle", "garage", "chamber", "street", "swamp", "post", "bedroom", "orchestral", "children's", "queer",
)  # fmt: skip
_PLACES = (
    "", "icelandic", "brazilian", "polish", "detroit", "korean", "nigerian", "peruvian", "finnish", "georgian",
    "turkish", "memphis", "quebecois", "basque", "ukrainian", "malaysian", "andalusian", "cape verdean", "berlin",
    "kyoto", "tuvan", "chilean", "welsh", "greek", "lebanese", "kenyan",
)  # fmt: skip
#: Names that a slug rule, a regular expression or an encoding trips over: (name, slug of its page).
_ODD = (
    ("r&b en espanol", "rbenespanol"),
    ("트로트", "teuroteu"),
    ("música pitiusa", "msicapitiusa"),
    ("hardcore '90s", "hardcore90s"),
    ("8-bit", "8bit"),
    ("rock & roll", "rockroll"),
)
_MEANS = ("danceability", "energy", "speechiness", "acousticness", "instrumentalness", "liveness", "valence")


@dataclass(frozen=True)
class Place:
    """A genre on the map: pixels from the left (dense to spiky) and the top (electric to organic)."""

    x: int
    y: int
    colour: str
    weight: int


def made_up_genre(number: int, bases: Sequence[str]) -> tuple[str, str]:
    """Name and slug of a made-up genre; no two numbers share either."""
    if 8 <= number < 8 + len(_ODD):
        return _ODD[number - 8]
    turn, base = divmod(number, len(bases))
    turn, manner = divmod(turn, len(_MANNERS))
    turn, place = divmod(turn, len(_PLACES))
    words = (_PLACES[place], _MANNERS[manner], bases[base], str(turn + 1) if turn else "")
    name = " ".join(word for word in words if word)
    return name, "".join(letter for letter in name.lower() if letter.isascii() and letter.isalnum())


def place_of(seed: int, number: int, count: int, base: str) -> Place:
    """Place of a genre: around that of the genre that it grew from."""
    home, own = random.Random(f"{seed}:place:{base}"), random.Random(f"{seed}:place:{number}")
    height = max(1500, count * 4)
    x = 60 + 1200 * home.random() + own.gauss(0, 90)
    y = height * (0.1 + 0.8 * home.random()) + own.gauss(0, height / 25)
    red, green, blue = colorsys.hls_to_rgb(home.random(), 0.4, 0.6)
    colour = "#" + "".join(f"{round(255 * part):02x}" for part in (red, green, blue))
    return Place(
        max(0, min(1500, round(x))), max(0, min(height, round(y))), colour, 100 + 60 * (count - number) // count
    )


def sound_of(seed: int, base: str, song: int) -> dict[str, float | int]:
    """Audio features of a song, scattered around those of the composer's genre that it is in.

    Nobody listened: they are drawn, and so wide that genres overlap as they do in Spotify's own numbers.
    """
    home, own = random.Random(f"{seed}:sound:{base}"), random.Random(f"{seed}:sound:{song}")
    values: dict[str, float | int] = {
        name: round(min(0.999, max(0.0, home.uniform(0.1, 0.9) + own.gauss(0, 0.35))), 4) for name in _MEANS
    }
    values["loudness"] = round(min(-0.5, home.uniform(-16, -5) + own.gauss(0, 5)), 3)
    values["tempo"] = round(max(40.0, home.uniform(80, 160) + own.gauss(0, 30)), 3)
    values["key"], values["mode"] = own.randrange(12), int(own.random() < home.uniform(0.3, 0.8))
    values["time_signature"] = 3 if home.random() < 0.15 else 4
    return values
