"""Leak checks of a split, and its classification (artist-safe, leaky, ...), which is reported with metrics.

:func:`check_leaks` uses the same links between songs as the assignment. :func:`find_shared` is independent of them: it
compares credited names and audio hashes between parts directly, with rules of its own, so that errors in the links are
found. A split that fails one of them is not called artist-safe.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from genreatlas.errors import Reason, SplitError, SplitLeakError
from genreatlas.sources.credits import Performers, everybody, is_no_artist, performers, title_guests
from genreatlas.splits.groups import key_codes

#: Maximum share of songs of unknown artist in an artist-safe split; 1 in 1,000 songs changes an accuracy by at most a
#: tenth of a point.
UNKNOWN_ARTISTS_TOLERATED = 0.001

#: Prefix of the grouping if performers are in several parts or folds although songs are grouped by artist.
ARTISTS_SHARED = "artists-shared"
_NAMED = 5
_GUESTS = re.compile(r"[\s(\[](?:feat|ft|featuring)[.\s]", re.IGNORECASE)
_EXAMPLES = 3


@dataclass(frozen=True)
class Shared:
    """Performers and recordings in more than one part, or more than one fold of the training part.

    Attributes
    ----------
    performers : number of such performers.
    songs : number of songs of these performers.
    recordings : number of such recordings.
    examples : names of some of these performers.
    """

    performers: int = 0
    songs: int = 0
    recordings: int = 0
    examples: tuple[str, ...] = ()


def current(rows: pd.DataFrame, version: int | None = None) -> pd.DataFrame:
    """Current row of each song of a split, sorted by song.

    Parameters
    ----------
    rows : rows of the table ``splits`` of one split.
    version : split version; None: the newest.
    """
    if version is not None:
        rows = rows[rows["split_version"] <= version]
    rows = rows.sort_values(["song_id", "split_version"])
    return rows.drop_duplicates("song_id", keep="last").reset_index(drop=True)


def grouping(rows: pd.DataFrame, shared: Shared | None = None) -> str:
    """Classify a split as artist-safe, album-grouped, song-grouped, artists-shared or leaky.

    Parameters
    ----------
    rows : current rows of a split: group_id, grouped_by, part, reason.
    shared : performers and recordings in several parts or folds (:func:`genreatlas.splits.find_shared`).

    Returns
    -------
    str : ``leaky`` if a group is in several parts (a declared split that was allowed) or identical audio is in several
        parts or folds; ``album-grouped``; ``song-grouped`` if more than 1 in 1,000 songs is not grouped by artist;
        ``artists-shared (2 performers, 7 songs)`` if performers are in several parts or folds; else ``artist-safe``.
    """
    used = rows[rows["part"] != "excluded"]
    if (used["reason"] == Reason.DECLARED_LEAK.value).any() or len(_divided(used, "group_id", ["part"])):
        return "leaky"
    if shared and shared.recordings:
        return "leaky"
    if (used["grouped_by"] == "album").any():
        return "album-grouped"
    if unknown_artist_share(rows) > UNKNOWN_ARTISTS_TOLERATED:
        return "song-grouped"
    if shared and shared.performers:
        return f"{ARTISTS_SHARED} ({shared.performers} performers, {shared.songs} songs)"
    return "artist-safe"


def unknown_artist_share(rows: pd.DataFrame) -> float:
    """Share of the songs in use that are not grouped by artist; 1 if no songs are in use."""
    used = rows[rows["part"] != "excluded"]
    return float((used["grouped_by"] != "artist").mean()) if len(used) else 1.0


def featured_share(rows: pd.DataFrame, songs: pd.DataFrame) -> float | None:
    """Share of test songs with a further credited artist who performs a training song.

    Further artists are guests ("feat. B", in the artist or the title) and partners ("A & B").

    Parameters
    ----------
    rows : current rows of a split.
    songs : song_id, artist and optionally title.

    Returns
    -------
    float or None : None if there are no test songs.
    """
    part_of = dict(zip(rows["song_id"], rows["part"], strict=True))
    trained: set[str] = set()
    tested: list[frozenset[str]] = []
    titles = songs["title"] if "title" in songs else [None] * len(songs)
    for song, artist, title in zip(songs["song_id"], songs["artist"], titles, strict=True):
        if (part := part_of.get(song)) in ("train", "test"):
            credit = performers(artist) if isinstance(artist, str) else Performers()
            if part == "train":
                trained.update(credit.sure)
            else:
                guests = everybody(title_guests(title)) if isinstance(title, str) and credit.whole else frozenset()
                tested.append((credit.named | guests) - {*credit.sure})
    n_test = int((rows["part"] == "test").sum())
    return sum(not trained.isdisjoint(names) for names in tested) / n_test if n_test else None


def check_leaks(rows: pd.DataFrame, links: pd.DataFrame | None = None, *, allow_declared: bool = False) -> None:
    """Raise if a group, or songs that share a key, are in more than one part or fold.

    Parameters
    ----------
    rows : current rows of a split: song_id, group_id, part, fold, reason. Excluded songs are ignored.
    links : song_id, kind, key from :func:`song_links`; without them only ``group_id`` is checked.
    allow_declared : ignore leaks of declared parts that were allowed when the split was assigned
        ([splits] allow_declared_leak); :func:`grouping` flags the split.

    Raises
    ------
    SplitLeakError : there is a leak; names the groups.
    """
    used = rows[rows["part"] != "excluded"]
    if allow_declared:
        used = used[used["reason"] != Reason.DECLARED_LEAK.value]
    used = used.assign(fold=used["fold"].astype("Int64").fillna(-1))
    leaks = [
        f"group {group} in {_where_they_lie(cells)}"
        for group, cells in _divided(used, "group_id", ["part", "fold"]).items()
    ]
    if links is not None:
        tied = links.assign(code=key_codes(links)).merge(used, on="song_id")
        for cells in _divided(tied, "code", ["part", "fold"]).values():
            shared, groups = cells.iloc[0], ", ".join(sorted(set(cells["group_id"])))
            leaks.append(f"{shared['kind']} {shared['key']} (groups {groups}) in {_where_they_lie(cells)}")
    if leaks:
        raise SplitLeakError(
            f"the split leaks: {_some(leaks)}. Run assign_splits, which excludes the copies outside train."
        )


def find_shared(rows: pd.DataFrame, songs: pd.DataFrame, clips: pd.DataFrame | None = None) -> Shared:
    """Count performers and recordings in more than one part or fold.

    Parameters
    ----------
    rows : current rows of a split: song_id, part, fold, reason; excluded songs are ignored.
    songs : song_id, artist and optionally album_artist, which is used if a song has no artist.
    clips : song_id and any of sha256, audio_id and sound_sha256.
    """
    used = rows.loc[rows["part"] != "excluded", ["song_id", "part", "fold"]]
    place = used["part"].astype(str) + used["fold"].astype("Int64").astype("string").fillna("")
    place_of = dict(zip(used["song_id"], place, strict=True))
    by_name = _places(place_of, zip(songs["song_id"], _performers(songs), strict=True))
    shared = {str(name): held for name, held in by_name.items() if name and len(set(held.values())) > 1}
    tied = {song for held in shared.values() for song in held}
    recordings = 0
    for column in ("sha256", "audio_id", "sound_sha256") if clips is not None else ():
        if clips is not None and column in clips:
            by_hash = _places(place_of, zip(clips["song_id"], clips[column], strict=True))
            recordings += sum(isinstance(value, str) and len(set(held.values())) > 1 for value, held in by_hash.items())
    called = dict(zip(songs["song_id"], songs["artist"], strict=True)) if "artist" in songs else {}
    examples = [str(called.get(min(shared[name])) or name) for name in sorted(shared)[:_EXAMPLES]]
    return Shared(len(shared), len(tied), recordings, tuple(examples))


def torn_links(songs: pd.DataFrame, links: pd.DataFrame, new: pd.Series) -> pd.DataFrame:
    """Find keys shared by songs in different parts, if a new song has the key.

    Parameters
    ----------
    songs : song_id, part of all songs that have one.
    links : song_id, kind, key.
    new : ids of the new songs.

    Returns
    -------
    DataFrame : song_id, kind, key, code, part of all songs with such a key.
    """
    tied = links.assign(code=key_codes(links)).merge(songs[["song_id", "part"]], on="song_id")
    parts = tied.groupby("code")["part"].nunique()
    tied = tied[tied["code"].isin(parts.index[parts > 1])]
    return tied[tied["code"].isin(tied.loc[tied["song_id"].isin(new), "code"])]


def declared_leak(torn: pd.DataFrame, artists: pd.Series) -> SplitLeakError:
    """Build the error that names the groups divided by a declared split."""
    leaks = []
    for _, cells in torn.groupby("code", sort=True):
        examples = cells.sort_values("song_id").drop_duplicates("part")
        where = [f"song {song} in {part}" for song, part in zip(examples["song_id"], examples["part"], strict=True)]
        called = artists.reindex(cells["song_id"]).dropna()
        name = f" ({called.iloc[0]})" if len(called) else ""
        leaks.append(f"{cells['kind'].iloc[0]} {cells['key'].iloc[0]}{name}: {len(cells)} songs, {', '.join(where)}")
    return SplitLeakError(
        f"the declared split divides {len(leaks)} groups: {_some(leaks)}. Correct it, set [splits] declared = "
        '"ignore" to assign new parts, or set allow_declared_leak = true to keep it with every figure flagged.'
    )


def count_groups(
    labels: pd.DataFrame, songs: pd.DataFrame, new: pd.Series, recording: pd.Series | None = None
) -> pd.DataFrame:
    """Count songs and groups of each genre of new songs.

    Parameters
    ----------
    labels : song_id, genre_id.
    songs : song_id, group_id.
    new : ids of the new songs.
    recording : index of each song's recording, by song id; copies of a recording count once.

    Returns
    -------
    DataFrame : genre_id, songs, groups.
    """
    labelled = labels.merge(songs[["song_id", "group_id"]], on="song_id")
    labelled = labelled[labelled["genre_id"].isin(labelled.loc[labelled["song_id"].isin(new), "genre_id"])]
    counted = labelled["song_id"] if recording is None else labelled["song_id"].map(recording)
    by_genre = labelled.assign(counted=counted).groupby("genre_id", as_index=False)
    return by_genre.agg(songs=("counted", "nunique"), groups=("group_id", "nunique"))


def check_group_share(groups: pd.Series, judged: pd.Series, names: pd.Series, largest: float) -> None:
    """Raise SplitError if a group has too large a share of the songs; libraries below 1,000 songs are not checked.

    Parameters
    ----------
    groups : group id of every song in use, by song id.
    judged : group ids to check.
    names : artist credit of each song, by song id, for the message.
    largest : maximum share of songs in a group.
    """
    total = len(groups)
    if total < 1000:
        return
    sizes = groups.value_counts()
    sizes = sizes[sizes.index.isin(judged) & (sizes > largest * total)].sort_index(kind="stable")
    sizes = sizes.sort_values(ascending=False, kind="stable")
    if len(sizes):
        group = sizes.index[0]
        called = names.reindex(groups.index[groups == group]).dropna().value_counts().sort_index(kind="stable")
        artist = called.sort_values(ascending=False, kind="stable").index[0] if len(called) else "of unknown artist"
        others = f" ({len(sizes) - 1} more are too large)" if len(sizes) > 1 else ""
        raise SplitError(
            f"group {group} ({artist}) holds {sizes.iloc[0]} of {total} songs, {sizes.iloc[0] / total:.1%}, more than "
            f"[splits] max_group_share = {largest:g}{others}. If the name stands for many artists, clear it in the "
            "source. Otherwise raise max_group_share."
        )


def check_divisible(counts: pd.DataFrame, parts: list[str], group_by: str) -> None:
    """Raise SplitError if a genre has fewer groups than there are parts.

    Parameters
    ----------
    counts : genre_id, songs, groups of the genres that training would use.
    parts : names of the parts.
    group_by : [splits] group_by, for the message.
    """
    short = counts[counts["groups"] < len(parts)].sort_values(["groups", "genre_id"])
    if len(short):
        listed = [f"{row.genre_id} ({row.groups} of {row.songs} songs)" for row in short.itertuples()]
        raise SplitError(
            f"grouped by {group_by}, {len(short)} of {len(counts)} genres have fewer groups than the {len(parts)} "
            f"parts ({', '.join(parts)}), so they cannot be evaluated; groups: {_some(listed)}. Name the genres to "
            "use in [train] genres, raise [train] min_songs above theirs, set [splits] promotion = 0, or choose a "
            "finer [splits] group_by."
        )


def _places(place_of: dict[str, str], pairs: Iterable[tuple[str, object]]) -> dict[object, dict[str, str]]:
    """Collect by value the songs in use that have it: value = {song id: part and fold}."""
    found: dict[object, dict[str, str]] = {}
    for song, value in pairs:
        if song in place_of:
            found.setdefault(value, {})[song] = place_of[song]
    return found


def _performers(songs: pd.DataFrame) -> list[str]:
    """Performer of each song: the artist, or else the album artist unless it only compiles songs of others."""
    artists, makers = _names(songs, "artist"), _names(songs, "album_artist")
    marked = [flag is True for flag in songs["compilation"]] if "compilation" in songs else [False] * len(songs)
    performing = set(artists)
    compiling = {maker for artist, maker in zip(artists, makers, strict=True) if artist} - performing
    found = []
    for artist, maker, compiled in zip(artists, makers, marked, strict=True):
        unknown = maker in compiling or (compiled and maker not in performing)
        found.append(artist or ("" if unknown else maker))
    return found


def _names(songs: pd.DataFrame, column: str) -> list[str]:
    texts = songs[column].tolist() if column in songs else [None] * len(songs)
    plain = {text: _plain(text) if isinstance(text, str) else "" for text in set(texts)}
    return [plain[text] for text in texts]


def _plain(credit: str) -> str:
    """Normalised first artist of a credit without guests: letters, digits and marks, case-folded; "" if unknown."""
    for value in re.split(r"[;\x00]", credit):
        name = value[: match.start()] if (match := _GUESTS.search(value)) else value
        if is_no_artist(name):
            continue
        letters = unicodedata.normalize("NFKD", name).casefold()
        # Drop the block of combining accents of Latin, Greek and Cyrillic; marks of other scripts act as letters.
        letters = letters.replace("и\u0306", "й")
        kept = [c for c in letters if not "\u0300" <= c <= "\u036f" and unicodedata.category(c)[0] in "LNM"]
        start = re.match(r"\W*the\s+(?=\S)", letters)
        if start:
            kept = kept[3:] or kept
        elif re.search(r",\s*the\s*$", letters):
            kept = kept[:-3] or kept
        return unicodedata.normalize("NFC", "".join(kept)) or "".join(letters.split())
    return ""


def _divided(rows: pd.DataFrame, by: str, place: list[str]) -> dict[str, pd.DataFrame]:
    places = rows[[by, *place]].drop_duplicates()
    divided = places.loc[places[by].duplicated(), by].unique()
    return {str(name): cells for name, cells in rows[rows[by].isin(divided)].groupby(by, sort=True)}


def _where_they_lie(cells: pd.DataFrame) -> str:
    named = {
        part if fold < 0 else f"{part} fold {fold}" for part, fold in zip(cells["part"], cells["fold"], strict=True)
    }
    return ", ".join(sorted(named))


def _some(items: list[str]) -> str:
    more = f"; and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return "; ".join(items[:_NAMED]) + more
