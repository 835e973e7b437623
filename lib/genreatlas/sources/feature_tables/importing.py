"""Convert rows of a feature table to rows of the store, reject unusable rows, and detect ids of song segments."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from genreatlas.config import ImportFeaturesSection
from genreatlas.errors import ConfigError, InputError, Reason
from genreatlas.ids import stable_id
from genreatlas.sources.credits import credits
from genreatlas.sources.feature_tables.columns import (
    FeatureColumn,
    Features,
    Numbers,
    as_text,
    check_names,
    choose_features,
)
from genreatlas.sources.feature_tables.parts import PARTS, listed_parts, read_lists, song_parts
from genreatlas.sources.genres import Genre, GenreNames, shown_names
from genreatlas.sources.label_cells import parse_list, split_tight
from genreatlas.sources.tabular import RawTable, read_table

_FEW_JOINED = 0.02
_LITERAL = re.compile(r"[\[(]\s*[\"']")


@dataclass(frozen=True)
class Rejected:
    """A row that cannot be used: its place in the file, its id, and the reason."""

    place: str
    id: str | None
    reason: Reason
    detail: str


@dataclass(frozen=True)
class ImportedTable:
    """Rows for the store. Frames have the columns of the tables of the same names, as far as known.

    Attributes
    ----------
    digest : hash of the file and of all settings of the import.
    rows : clip_id, song_id and the features.
    rejected : rows that were left out.
    """

    name: str
    digest: str
    columns: tuple[FeatureColumn, ...]
    set_version: str
    rows: pd.DataFrame
    songs: pd.DataFrame
    artists: pd.DataFrame
    song_artists: pd.DataFrame
    song_genres: pd.DataFrame
    genre_parents: pd.DataFrame
    rejected: tuple[Rejected, ...]
    notes: tuple[str, ...]


def inputs_digest(section: ImportFeaturesSection, file_digest: str, ignore_parts: bool) -> str:
    """Hash of all inputs of an import: the file's bytes, the entries of split lists, and the configuration."""
    lists = read_lists(section.split_lists)
    settings = section.model_dump(mode="json", exclude={"path", "split_lists"})
    if settings["layout"] == ImportFeaturesSection().layout:  # older releases hashed no layout
        del settings["layout"]
    return stable_id(file_digest, sorted(settings.items()), sorted(lists.items()), ignore_parts)


def import_table(section: ImportFeaturesSection, ignore_parts: bool = False) -> ImportedTable:
    """Read and interpret the configured table.

    An id may occur in several rows, which give its song several genres; the features must be equal. NULL and NaN are
    missing values. A row with an infinite value, or with text in a numeric column, is rejected.

    Parameters
    ----------
    section : the ``[import_features]`` section.
    ignore_parts : whether rows of one song in different declared parts are accepted (``splits.declared = "ignore"``).

    Raises
    ------
    ConfigError, InputError : the configuration does not match the file, or no row can be used.
    SplitLeakError : the declared split has rows of one song in different parts.
    """
    for key in ("name", "id", "labels"):
        if not getattr(section, key):
            raise ConfigError(f"[import_features] {key} is not set. It needs path, name, id and labels.")
    if section.path is None:
        raise ConfigError("[import_features] path is not set. It needs path, name, id and labels.")
    if section.split and section.split_lists:
        raise ConfigError("[import_features]: give the parts by split or by split_lists, not by both.")
    names = GenreNames(section.genre_aliases, section.genre_parents, section.label_separator)
    raw = read_table(section.path, "import_features.path", section.encoding)
    check_names(raw, section)
    features = choose_features(raw, section)
    notes = [*raw.notes, *features.notes]
    rows = _read_rows(raw, section, names, notes)
    rejected = [Rejected(place, None, Reason.BAD_VALUE, detail) for place, detail in raw.broken]
    rejected += _reject(rows, _problems(rows, features, section))
    if rows.empty:
        raise InputError(f"{raw.name}: none of its {len(rejected)} rows can be used. First: {_say(rejected[0])}")
    rejected += _reject(rows, _conflicts(rows, features))
    used = len(rows)
    _find_parts(rows, section, notes)
    if not (section.song or section.song_pattern) and (warning := segment_warning(rows["id"], rows["first_genre"])):
        notes.append(warning)
    songs = _songs(rows, section, ignore_parts)
    artists, song_artists = _artists(songs)
    song_genres = _song_genres(rows, section)
    if song_genres["genre_id"].nunique() < 2:
        raise InputError(
            f"{raw.name}: fewer than two genres can be used (found: {', '.join(sorted(set(song_genres['genre'])))})."
        )
    values = _values(rows, features, section)
    notes += names.notes()
    notes += _accounts(rejected, used, len(values), len(raw.places) + len(raw.broken))
    categorical = ", ".join(column.name for column in features.columns if column.kind == "categorical")
    notes.insert(
        0,
        f"{raw.name}: {len(raw.places) + len(raw.broken)} rows, {len(values)} ids, {len(songs)} songs, "
        f"{len(features.columns)} features{f', of them categorical: {categorical}' if categorical else ''}",
    )
    return ImportedTable(
        name=raw.name,
        digest=inputs_digest(section, raw.digest, ignore_parts),
        columns=features.columns,
        set_version=features.version,
        rows=values,
        songs=songs.drop(columns="song"),
        artists=artists,
        song_artists=song_artists,
        song_genres=song_genres,
        genre_parents=pd.DataFrame([vars(parent) | {"source": "configuration"} for parent in names.parents()]),
        rejected=tuple(rejected),
        notes=tuple(notes),
    )


def _read_rows(raw: RawTable, section: ImportFeaturesSection, names: GenreNames, notes: list[str]) -> pd.DataFrame:
    """One row per row of the file, with row number, place, id, song, genres, declared part, and texts."""

    def text(column: str) -> pd.Series:
        cells = as_text(raw.table[column]).to_pylist() if column else None
        return pd.Series(cells, index=range(len(raw.places)), dtype=object)

    rows = pd.DataFrame({"row": range(len(raw.places)), "place": raw.places, "id": text(section.id)})
    for key in ("title", "artist", "album"):
        rows[key] = text(getattr(section, key))
    rows["split"] = text(section.split)
    known = rows["id"].fillna("")
    rows["song"] = text(section.song) if section.song else None
    if section.song_pattern:
        cut, missed = cut_songs(rows["song"].fillna(known) if section.song else known, section.song_pattern)
        rows["song"] = cut
        if missed:
            notes.append(f"song_pattern does not match {missed} ids; each of them is treated as a separate song")
    rows["song"] = rows["song"].where(rows["song"].notna(), known)
    if section.artist:
        rows["artist"] = _artists_of(rows["artist"], section.artist, notes)
    rows["given"] = list(zip(*[_labels(raw, label, names, notes) for label in section.labels], strict=True))
    read = {given: names.read_each([text for texts in given for text in texts]) for given in set(rows["given"])}
    rows["genres"] = rows["given"].map(read)
    rows["first_genre"] = [genres[0].genre_id if genres else None for genres in rows["genres"]]
    return rows


def _labels(raw: RawTable, label: str, names: GenreNames, notes: list[str]) -> list[tuple[str, ...]]:
    """Labels of each row, from an array, or from a text split as decided for the column."""
    column = raw.table[label]
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return [tuple(str(one) for one in cell or () if one is not None) for cell in column.to_pylist()]
    cells = as_text(column).to_pylist()
    divided = names.divide(cells, f"labels ({label})", "import_features.label_separator")
    notes += divided.notes
    return [divided.split(cell) for cell in cells]


def _artists_of(cells: pd.Series, column: str, notes: list[str]) -> pd.Series:
    """Artists of each row as one text, with several artists joined as ``A; B`` for :func:`credits`.

    List literals are split. Commas without a following blank, as written by programs ("Nas,Tyler, The Creator"), are
    separators if more than 2 % of the distinct cells have one: a single name may have one by mistake ("Tallak feat,Viv
    Gee").
    """
    known = [cell for cell in dict.fromkeys(cells) if isinstance(cell, str)]
    texts = {cell: "; ".join(parse_list(cell) or ()) for cell in known if _LITERAL.match(cell)}
    several = {cell: parts for cell in known if cell not in texts and len(parts := split_tight(cell)) > 1}
    if len(several) > _FEW_JOINED * len(known):
        texts |= {cell: "; ".join(parts) for cell, parts in several.items()}
        notes.append(f"commas without a following space separate artists ({column}), such as {next(iter(several))!r}")
    return cells.map(lambda cell: texts.get(cell, cell) or None)


def _accounts(rejected: list[Rejected], used: int, ids: int, total: int) -> list[str]:
    """Lines on repeated and rejected rows."""
    notes = []
    if used > ids:
        notes.append(f"{used - ids} rows repeat an id with the same features; their genres are joined")
    if rejected:
        shown = "; ".join(_say(bad) for bad in rejected[:3]) + ("; ..." if len(rejected) > 3 else "")
        notes.append(f"{len(rejected)} of {total} rows are in quarantine: {shown}")
    return notes


def _problems(rows: pd.DataFrame, features: Features, section: ImportFeaturesSection) -> dict[int, tuple[Reason, str]]:
    """First problem of each unusable row of the file, by row number."""
    found: dict[int, tuple[Reason, str]] = {}
    for row in rows.loc[rows["id"].isna(), "row"]:
        found[row] = (Reason.BAD_VALUE, f"{section.id} is empty. Give an id or drop the row.")
    lacking = rows[rows["first_genre"].isna()]
    for row, given in zip(lacking["row"], lacking["given"], strict=True):
        words = "; ".join(text for texts in given for text in texts if text)
        stated = f"{words!r} is not a genre" if words else f"{', '.join(section.labels)}: empty"
        found.setdefault(row, (Reason.NO_GENRE, f"{stated}. Give a genre or drop the row."))
    unknown = rows[rows["split"].notna() & ~rows["split"].fillna("").str.lower().isin(PARTS)]
    for row, split in zip(unknown["row"], unknown["split"], strict=True):
        found.setdefault(row, (Reason.BAD_VALUE, f"{section.split} is {split!r}. Valid: {', '.join(PARTS)}."))
    empty = np.ones(len(rows), dtype=bool)
    for column, cells in zip(features.columns, features.cells, strict=True):
        if isinstance(cells, Numbers):
            for row in np.flatnonzero(cells.wrong):
                detail = (
                    f"{column.source} is not a finite number, or an array of another length. Correct or drop the row."
                )
                found.setdefault(int(row), (Reason.BAD_VALUE, detail))
            empty &= np.isnan(cells.values)
        else:
            empty &= cells.is_null().to_numpy()
    for row in np.flatnonzero(empty):
        found.setdefault(int(row), (Reason.BAD_VALUE, "it has no features. Drop the row."))
    return found


def _conflicts(rows: pd.DataFrame, features: Features) -> dict[int, tuple[Reason, str]]:
    """Rows whose features or song differ from the first row with the same id, by row number."""
    first = rows.groupby("id")["row"].transform("first").to_numpy()
    here = rows["row"].to_numpy()
    again = here != first
    here, first = here[again], first[again]
    differs = rows.loc[again, "song"].to_numpy() != rows.groupby("id")["song"].transform("first")[again].to_numpy()
    for cells in features.cells:
        if isinstance(cells, Numbers):
            one, other = cells.values[here], cells.values[first]
            differs |= ~((one == other) | (np.isnan(one) & np.isnan(other)))
        else:
            texts = np.array(cells.to_pylist(), dtype=object)
            differs |= texts[here] != texts[first]
    place = dict(zip(rows["row"], rows["place"], strict=True))
    detail = "its features or song differ from those of {}, which has the same id and is used. Drop one of them."
    return {
        int(row): (Reason.DUPLICATE_ROW, detail.format(place[other]))
        for row, other in zip(here[differs], first[differs], strict=True)
    }


def _reject(rows: pd.DataFrame, problems: dict[int, tuple[Reason, str]]) -> list[Rejected]:
    """Drop rows with problems in place, and return them with their reasons."""
    bad = rows[rows["row"].isin(problems)]
    rejected = [
        Rejected(place, row_id, *problems[row])
        for row, place, row_id in zip(bad["row"], bad["place"], bad["id"], strict=True)
    ]
    rows.drop(index=bad.index, inplace=True)
    return rejected


def _find_parts(rows: pd.DataFrame, section: ImportFeaturesSection, notes: list[str]) -> None:
    rows["part"] = rows["split"].str.lower().map(PARTS).astype(object) if section.split else None
    if section.split_lists:
        rows["part"], lines = listed_parts(rows[["id", "song"]], read_lists(section.split_lists))
        notes.extend(lines)


def _songs(rows: pd.DataFrame, section: ImportFeaturesSection, ignore_parts: bool) -> pd.DataFrame:
    """One row per song, with the first title, artist and album of its rows."""
    songs = rows.groupby("song")[["title", "artist", "album"]].first().reset_index()
    songs = songs.astype(object).where(songs.notna(), None)
    songs["declared_split"] = songs["song"].map(song_parts(rows["song"], rows["part"], ignore_parts)).astype(object)
    songs["declared_split"] = songs["declared_split"].where(songs["declared_split"].notna(), None)
    songs["song_id"] = [song_id(section.name, song) for song in songs["song"]]
    return songs.assign(source=section.name, source_key=songs["song"])


def _artists(songs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    made = [
        (song, position, credit.artist_id, credit.role, credit.name)
        for song, artist, title in zip(songs["song_id"], songs["artist"], songs["title"], strict=True)
        for position, credit in enumerate(credits(artist, title=title))
    ]
    rows = pd.DataFrame(made, columns=["song_id", "position", "artist_id", "role", "name"])
    artists = rows.sort_values("name").drop_duplicates("artist_id")[["artist_id", "name"]]
    return artists.sort_values("artist_id", ignore_index=True), rows.drop(columns="name")


def _song_genres(rows: pd.DataFrame, section: ImportFeaturesSection) -> pd.DataFrame:
    shown = shown_names(genre for genres in rows["genres"] for genre in genres)
    pairs: dict[tuple[str, str], Genre] = {}
    for song, genres in zip(rows["song"], rows["genres"], strict=True):
        for genre in genres:
            pairs.setdefault((song, genre.genre_id), genre)
    made = [(song_id(section.name, song), genre_id, shown[genre_id]) for song, genre_id in sorted(pairs)]
    return pd.DataFrame(made, columns=["song_id", "genre_id", "genre"]).assign(source=section.name, weight=1.0)


def _values(rows: pd.DataFrame, features: Features, section: ImportFeaturesSection) -> pd.DataFrame:
    first = rows.drop_duplicates("id")
    chosen = first["row"].to_numpy()
    values: dict[str, object] = {
        "clip_id": [stable_id("clip", section.name, row_id) for row_id in first["id"]],
        "song_id": [song_id(section.name, song) for song in first["song"]],
    }
    for column, cells in zip(features.columns, features.cells, strict=True):
        values[column.name] = (
            cells.values[chosen] if isinstance(cells, Numbers) else cells.take(pa.array(chosen)).to_pylist()
        )
    return pd.DataFrame(values).sort_values("clip_id", ignore_index=True)


def song_id(source: str, key: str) -> str:
    """Id of an imported song: hash of the import's name and the song's key in the table."""
    return stable_id("song", source, key)


def _say(rejected: Rejected) -> str:
    return f"{rejected.place}: {rejected.detail}"


_SEGMENT = re.compile(r"^(.+\d.*)[._\- ]+(?:seg(?:ment)?|part|chunk|clip)?[._\- ]*(\d{1,3})$", re.IGNORECASE)
_ENDING = re.compile(r"\.(wav|mp3|flac|ogg|au|aiff?|m4a|npy|png)$", re.IGNORECASE)


def cut_songs(ids: pd.Series, pattern: str) -> tuple[pd.Series, int]:
    """Extract the song from every id by the first group of a pattern. Ids that do not match are used whole.

    Returns
    -------
    Songs, and the number of ids that did not match.

    Raises
    ------
    ConfigError : the pattern is not a regular expression, has no group, or matches no id.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"[import_features] song_pattern {pattern!r} is not a regular expression: {error}.") from None
    if not expression.groups:
        raise ConfigError(
            f"[import_features] song_pattern {pattern!r} has no group. Put parentheses around the part that "
            "identifies the song."
        )
    matches = [expression.search(text) for text in ids]
    songs = [match[1] if match and match[1] else text for match, text in zip(matches, ids, strict=True)]
    missed = sum(not (match and match[1]) for match in matches)
    if missed == len(ids) and len(ids):
        raise ConfigError(f"[import_features] song_pattern {pattern!r} matches no id, such as {ids.iloc[0]!r}.")
    return pd.Series(songs, index=ids.index, dtype=object), missed


def segment_warning(ids: pd.Series, labels: pd.Series) -> str | None:
    """Warning if ids look like ``blues.00000.3.wav``, that is, like several numbered segments of a song; else None.

    Conditions: at least 90 % of the ids end in a number of at most three digits after a stem with digits, stems have at
    least two ids on average, and there are at least twice as many stems as labels (``rock_12`` is a song with the stem
    ``rock``).
    """
    found = [_SEGMENT.match(_ENDING.sub("", text)) for text in ids.drop_duplicates()]
    stems = [match[1] for match in found if match]
    if len(stems) < 0.9 * len(found) or len(stems) < 4:
        return None
    distinct = len(set(stems))
    if len(stems) < 2 * distinct or distinct < 2 * labels.nunique():
        return None
    example = next(match for match in found if match)
    return (
        f"WARNING: ids look like segments of songs ({example[0]} of {example[1]}): {len(stems)} ids, {distinct} stems. "
        "Segments of one song must not be divided between parts: set song_pattern, such as '^(.+)\\.\\d+\\.wav$'"
    )
