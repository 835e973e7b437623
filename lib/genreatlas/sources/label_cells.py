"""Split cells that contain several labels: list literals, and texts with a separator.

List literals are parsed in any column. Semicolons, pipes and line breaks are always separators. A comma may be part of
a name ("Folk, World, & Country") or a separator ("rock,classic rock"): this is decided from the whole column and
reported in a note, and a setting takes precedence. A slash is a separator only if configured ("R&B/Soul").
"""

import ast
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

#: Values of the setting: decide from the column, or treat every cell as one label.
AUTO, NONE = "auto", "none"

_ALWAYS = re.compile(r"[;|\x00\n\r]")
#: A comma without a blank after it, as written by programs, but not between digits ("10,000 Maniacs").
_TIGHT = re.compile(r"(?<!\d),(?!\s)|,(?![\s\d])")
_LOOSE = re.compile(r",\s+")
#: Start of a part that continues a name and is not a separate label.
_CONTINUES = re.compile(r"(?:&|\+|and\b|und\b|et\b|y\b|n'|'n')", re.IGNORECASE)
#: Genres that large catalogues write with commas. References: Discogs' list of genres, November 2026.
_NAMES = re.compile(r"folk,\s*world,?\s*(?:&|and)\s*country", re.IGNORECASE)
_HELD = "\ue000"  # placeholder for a comma that is part of a name
#: Keys of the label in lists of objects, such as FMA's track_genres.
_KEYS = ("genre_title", "genre", "name", "title", "label", "tag")
_EMPTY = frozenset({"", "na", "n/a", "nan", "null", "none", "<na>"})


@dataclass(frozen=True)
class Labels:
    """How the cells of a column are split.

    Attributes
    ----------
    separator : "auto", "none", or the separating text.
    tight, loose : whether commas without and with a following blank are separators, with "auto".
    held : case-folded names that contain a comma.
    notes : lines on the decisions.
    """

    separator: str = AUTO
    tight: bool = False
    loose: bool = False
    held: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    _known: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)

    def split(self, cell: str | None) -> tuple[str, ...]:
        """Labels of a cell, in order."""
        text = cell or ""
        if text not in self._known:
            self._known[text] = self._divide(text)
        return self._known[text]

    def _divide(self, text: str) -> tuple[str, ...]:
        items = parse_list(text)
        if items is not None:
            return items
        if self.separator == NONE:
            return _parts([text])
        if self.separator != AUTO:
            return _parts(text.split(self.separator))
        parts = _parts(_ALWAYS.split(text))
        if self.tight:
            parts = _by_comma(parts, _TIGHT, self.held)
        if self.loose:
            parts = _by_comma(parts, _LOOSE, self.held)
        return parts


def read_column(cells: Iterable[str | None], separator: str = AUTO, what: str = "labels", key: str = "label_separator",
                names: Collection[str] = ()) -> Labels:  # fmt: skip
    """Decide how the cells of a column are split.

    With "auto", commas without a following blank are separators, because programs write lists in this form. Commas with
    a following blank are separators if the parts appear to be labels: at least half of the parts occur in another cell,
    or at least half of the distinct cells contain a comma.

    Parameters
    ----------
    cells : texts of the column.
    separator : "auto", "none", or the separating text.
    what : name of the values in notes.
    key : name of the setting in notes.
    names : known names; those with a comma are not split.
    """
    counts = Counter(cell for cell in cells if cell)
    held = tuple(name.casefold() for name in names if "," in name)
    if separator != AUTO:
        return _told(Labels(separator, held=held), counts, what, key, ())
    plain = [text for text in counts if parse_list(text) is None]
    parts = {text: _parts(_ALWAYS.split(text)) for text in plain}
    tight = any(len(_by_comma(found, _TIGHT, held)) > len(found) for found in parts.values())
    if tight:
        parts = {text: _by_comma(found, _TIGHT, held) for text, found in parts.items()}
    divided = {text: _by_comma(found, _LOOSE, held) for text, found in parts.items()}
    several = [text for text in plain if len(divided[text]) > len(parts[text])]
    loose = _is_list(several, divided, len(plain))
    notes = []
    if several and not loose:
        notes.append(f'commas in {what} are read as part of names, such as {several[0]!r}; {key} = "," splits at them')
    if slashes := [text for text in plain if "/" in text]:
        notes.append(f'slashes in {what} are read as part of names, such as {slashes[0]!r}; {key} = "/" splits at them')
    return _told(Labels(AUTO, tight, loose, held), counts, what, key, notes)


def split_tight(text: str) -> tuple[str, ...]:
    """Split a text at commas without a following blank, as programs write lists of names that may contain commas."""
    return _by_comma((text,), _TIGHT, ())


def parse_list(text: str) -> tuple[str, ...] | None:
    """Labels of a list literal of Python, JSON, NumPy or SQL; None if the text is not a list.

    Accepted are ``['rock', 'pop']``, ``["rock", "pop"]``, ``('rock',)``, ``['rock' 'pop']``, ``[rock, pop]``,
    ``{rock,"classic rock"}``, and lists of objects with a key such as ``name``.
    """
    text = text.strip()
    if len(text) < 2 or (text[0], text[-1]) not in (("[", "]"), ("(", ")"), ("{", "}")):
        return None
    found = _literal(text)
    if found is not None:
        return tuple(label for item in found if (label := _label(item)))
    inner = text[1:-1].strip()
    if text[0] == "(":
        return None  # a name in brackets
    quoted = re.findall(r"""(?:^|(?<=[\s,]))(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")(?=\s|,|$)""", inner)
    if quoted and re.fullmatch(r"""(?:(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s,'"]+)[\s,]*)*""", inner):
        bare = text[0] == "{" and "," in inner
        if not bare:
            return _parts([one or other for one, other in quoted])
    if "'" in inner and text[0] == "[":
        return _parts(part.strip().strip("'\"") for part in re.split(r"(?<=['\"])[,\s]+(?=['\"])", inner))
    return _parts(part.strip().strip("'\"") for part in inner.split(","))


def _literal(text: str) -> list[object] | None:
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
        if isinstance(found, dict):
            return [found] if any(key in found for key in _KEYS) else None
        if isinstance(found, list | tuple | set):
            several = isinstance(found, set)
            # Python concatenates NumPy's ['rock' 'pop'] to one string
            if len(found) == 1 and isinstance(next(iter(found)), str) and re.search(r"['\"]\s+['\"]", text):
                return None
            return sorted(found, key=str) if several else list(found)
    return None


def _label(item: object) -> str:
    if isinstance(item, dict):
        item = next((item[key] for key in _KEYS if item.get(key)), "")
    if item is None or isinstance(item, bool) or (isinstance(item, float) and item != item):
        return ""
    text = str(item).strip()
    return "" if text.casefold() in _EMPTY else text


def _is_list(several: list[str], divided: Mapping[str, tuple[str, ...]], n_cells: int) -> bool:
    """Whether commas with a blank are separators: parts recur in other cells, or at least half of cells have commas."""
    cells_of: Counter[str] = Counter()
    for parts in divided.values():
        cells_of.update({part.casefold() for part in parts})
    listed = [part.casefold() for text in several for part in divided[text]]
    elsewhere = sum(cells_of[part] > 1 for part in listed)
    if len(several) < 2:  # one cell is weak evidence
        return bool(several) and elsewhere == len(listed)
    return 2 * elsewhere >= len(listed) or 2 * len(several) >= n_cells


def _by_comma(parts: Iterable[str], comma: re.Pattern[str], held: Collection[str]) -> tuple[str, ...]:
    return tuple(label for part in parts for label in _divided(part, comma, held))


def _divided(text: str, comma: re.Pattern[str], held: Collection[str]) -> tuple[str, ...]:
    if "," not in text or text.casefold() in held:
        return (text,)
    kept = _NAMES.sub(lambda name: name[0].replace(",", _HELD), text)
    for name in held:
        kept = re.sub(re.escape(name), lambda found: found[0].replace(",", _HELD), kept, flags=re.IGNORECASE)
    pieces = comma.split(kept)
    if any(_CONTINUES.match(piece.lstrip()) for piece in pieces[1:]):
        return (text,)
    return _parts(piece.replace(_HELD, ",") for piece in pieces)


def _parts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(part for part in (text.strip() for text in texts) if part)


def _told(labels: Labels, counts: Mapping[str, int], what: str, key: str, notes: Iterable[str]) -> Labels:
    """Add a note on how cells with several labels are split."""
    several = {text: labels.split(text) for text in counts if len(labels.split(text)) > 1}
    told = []
    if several:
        example = next(iter(several))
        rows = sum(counts[text] for text in several)
        shown = " | ".join(several[example][:4]) + (" | ..." if len(several[example]) > 4 else "")
        told.append(
            f'{rows} rows have several {what}, such as {example!r} = {shown}; {key} = "none" switches the splitting off'
        )
    return Labels(labels.separator, labels.tight, labels.loose, labels.held, (*told, *notes), labels._known)
