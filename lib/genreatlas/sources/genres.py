"""Genre names of a source: unify spellings, apply aliases, and read configured parents."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from genreatlas.errors import ConfigError
from genreatlas.ids import slug, stable_id
from genreatlas.sources.label_cells import AUTO, Labels, read_column

#: Slugs of labels that are not genres. An alias makes one a genre: `genre_aliases.other = "Other"`. "Other" is the
#: default of many taggers, and such a class of leftovers has no common sound.
_NO_GENRE = frozenset(
    {"", "genre", "na", "nan", "nogenre", "none", "null", "other", "undefined", "unknown", "unknowngenre"}
)
_SHOWN = 5
#: Characters that separate labels in some tags and are part of names in others.
_AMBIGUOUS = (",", "/")


@dataclass(frozen=True)
class Genre:
    """A genre: its slug, and its displayed name."""

    genre_id: str
    name: str


@dataclass(frozen=True)
class GenreParent:
    """One edge of the genre tree; fields are columns of ``genre_parents``."""

    genre_id: str
    genre: str
    parent_id: str
    parent: str


def genre_slug(name: str) -> str:
    """Slug by the rule of Every Noise: lower case, without characters other than a to z and 0 to 9.

    ``r&b en espanol`` becomes ``rbenespanol``, ``música pitiusa`` becomes ``msicapitiusa``. If the rule leaves nothing
    (``트로트``), letters of other scripts are kept; a name without letters ("!!!") becomes a hash.
    """
    return re.sub(r"[^a-z0-9]", "", name.lower()) or slug(name) or stable_id("genre", name, length=12)


class GenreNames:
    """Reads genre names under the configured aliases and parents.

    Parameters
    ----------
    aliases : genre by spelling. Spellings that differ only in case, spaces and punctuation need no alias ("Hip-Hop",
        "hip hop" and "hiphop" share a slug).
    parents : parent by genre, in any spelling; aliases apply to both.
    separator : separator of a text with several genres; see :mod:`genreatlas.sources.label_cells`.

    Raises
    ------
    ConfigError : aliases or parents form a cycle, or a genre has two parents.
    """

    def __init__(
        self,
        aliases: Mapping[str, str] | None = None,
        parents: Mapping[str, str] | None = None,
        separator: str = AUTO,
    ) -> None:
        self._spelt: dict[str, Counter[str]] = {}
        self._whole: dict[str, str] = {}
        self._named = (*(aliases or {}), *(aliases or {}).values(), *(parents or {}), *(parents or {}).values())
        self._separator = separator
        self._labels = Labels(separator, held=tuple(name.casefold() for name in self._named if "," in name))
        self._aliases = {slug(spelling): target for spelling, target in (aliases or {}).items()}
        self._parents: dict[str, GenreParent] = {}
        for child, parent in (parents or {}).items():
            self._add_parent(child, parent)
        for genre_id in self._parents:
            self._check_tree(genre_id)
        self._spelt = {}  # spellings in the configuration are not reported in notes

    def read(self, text: str | None) -> Genre | None:
        """Genre of a spelling; None if it is not a genre."""
        name, seen = clean_name(text or ""), set[str]()
        self._spelt.setdefault(slug(name), Counter())[name] += 1
        while (key := slug(name)) in self._aliases:
            target = clean_name(self._aliases[key])
            if slug(target) == key:
                return Genre(key, target) if key else None
            if key in seen:
                raise ConfigError(
                    f"genre_aliases: the aliases of {text!r} form a cycle. Every alias must lead to a genre."
                )
            seen.add(key)
            name = target
        return None if key in _NO_GENRE else Genre(key, name)

    def read_all(self, texts: Iterable[str | None]) -> tuple[Genre, ...]:
        """Distinct genres of labels, in order; a label may contain several genres (``Rock; Pop``)."""
        parts = [part for text in texts for part in self._labels.split(text)]
        for part in parts if self._separator == AUTO else ():
            for mark in _AMBIGUOUS:
                if mark in part:
                    self._whole.setdefault(mark, part)
        return self.read_each(parts)

    def read_each(self, labels: Iterable[str | None]) -> tuple[Genre, ...]:
        """Distinct genres of labels that contain one genre each, in order."""
        genres = (self.read(label) for label in labels)
        found: dict[str, Genre] = {}
        for genre in genres:
            if genre is not None:
                found.setdefault(genre.genre_id, genre)
        return tuple(found.values())

    def divide(self, cells: Iterable[str | None], what: str, key: str) -> Labels:
        """How cells of a column are split into genres; see :func:`genreatlas.sources.label_cells.read_column`."""
        return read_column(cells, self._separator, what, key, self._named)

    def notes(self) -> tuple[str, ...]:
        """Lines on genres with several spellings, and on characters that may separate labels."""
        spelt = {key: sorted(names) for key, names in self._spelt.items() if len(names) > 1 and key not in _NO_GENRE}
        told = [
            f'"{mark}" is read as part of names, such as {part!r}; label_separator = "{mark}" splits at it'
            for mark, part in sorted(self._whole.items())
        ]
        if not spelt:
            return tuple(told)
        shown = [" = ".join(repr(name) for name in names[:4]) for _, names in sorted(spelt.items())[:_SHOWN]]
        more = f", and {len(spelt) - _SHOWN} more" if len(spelt) > _SHOWN else ""
        return (f"spellings read as one genre: {'; '.join(shown)}{more}", *told)

    def parents(self) -> tuple[GenreParent, ...]:
        """Configured edges of the genre tree, sorted by genre."""
        return tuple(self._parents[key] for key in sorted(self._parents))

    def _add_parent(self, child: str, parent: str) -> None:
        lower, upper = self.read(child), self.read(parent)
        if lower is None or upper is None:
            raise ConfigError(f"genre_parents: {child!r} = {parent!r}: both must be genre names.")
        known = self._parents.get(lower.genre_id)
        if known and known.parent_id != upper.genre_id:
            raise ConfigError(f"genre_parents: {lower.name!r} has two parents, {known.parent!r} and {upper.name!r}.")
        if lower.genre_id != upper.genre_id:
            self._parents[lower.genre_id] = GenreParent(lower.genre_id, lower.name, upper.genre_id, upper.name)

    def _check_tree(self, genre_id: str) -> None:
        seen = {genre_id}
        while genre_id in self._parents:
            genre_id = self._parents[genre_id].parent_id
            if genre_id in seen:
                raise ConfigError(f"genre_parents: {genre_id!r} is among its own ancestors.")
            seen.add(genre_id)


def clean_name(text: str) -> str:
    """Clean a label for display: Unicode NFC, and single spaces instead of underscores and runs of blanks."""
    return " ".join(unicodedata.normalize("NFC", text).replace("_", " ").split())


def split_labels(text: str | None) -> tuple[str, ...]:
    """Split a label on ``;``, ``|``, line breaks and NUL; commas and slashes are part of names ("R&B/Soul")."""
    return Labels().split(text)


def shown_names(genres: Iterable[Genre]) -> dict[str, str]:
    """Displayed name by genre id: the most frequent spelling; ties are broken by sorted order."""
    counts: dict[str, Counter[str]] = {}
    for genre in genres:
        counts.setdefault(genre.genre_id, Counter())[genre.name] += 1
    return {key: min(names, key=lambda name: (-names[name], name)) for key, names in counts.items()}
