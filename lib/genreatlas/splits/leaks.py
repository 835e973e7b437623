"""What a split has to hold to, and what may be said of figures that rest on it.

The checks follow the links between songs that the split follows. :func:`find_shared` looks for what lies on both sides
in another way: there are no links, the names as they were credited and the hashes of the audio are compared directly
between the parts, by rules of their own, so that an error in the links shows. Nothing is called artist-safe that does
not pass.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from genreatlas.errors import Reason, SplitError, SplitLeakError
from genreatlas.sources.credits import Performers, everybody, is_no_artist, performers, title_guests
from genreatlas.splits.groups import key_codes

#: Songs of unknown artist, as a share of all, up to which a split by artist is called artist-safe:
#: one in a thousand cannot move a figure by more than a tenth of a point.
UNKNOWN_ARTISTS_TOLERATED = 0.001

#: What a grouping starts with where performers lie on both sides although songs are grouped by artist.
ARTISTS_SHARED = "artists-shared"
_NAMED = 5
_GUESTS = re.compile(r"[\s(\[](?:feat|ft|featuring)[.\s]", re.IGNORECASE)
_EXAMPLES = 3


@dataclass(frozen=True)
class Shared:
    """Performers and recordings on more than one side: in two parts, or in two folds of the training part.

    ``songs`` counts the songs of those performers, ``examples`` names some of them.
    """

    performers: int = 0
    songs: int = 0
    recordings: int = 0
    examples: tuple[str, ...] = ()


def current(rows: pd.DataFrame, version: int | None = None) -> pd.DataFrame:
    """Per song of a split the row that counts at `version` (None: the newest), sorted by song.

    Parameters
    ----------
    rows : rows of the table ``splits`` of one split.
    """
    if version is not None:
        rows = rows[rows["split_version"] <= version]
    rows = rows.sort_values(["song_id", "split_version"])
    return rows.drop_duplicates("song_id", keep="last").reset_index(drop=True)


def grouping(rows: pd.DataFrame, shared: Shared | None = None) -> str:
    """Say what figures measured on a split mean.

    Parameters
    ----------
    rows : current rows of a split: group_id, grouped_by, part, reason.
    shared : what lies on both sides all the same (:func:`genreatlas.splits.find_shared`).

    Returns
    -------
    str : ``leaky`` where a group lies in several parts (a declared split that was let through), or the same audio
        does; ``album-grouped``; ``song-grouped`` where the artist is not known of all but one song in a
        thousand; ``artists-shared (2 performers, 7 songs)`` where performers are on both sides;
        else ``artist-safe``.
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
    """Share of the songs in use that are not grouped by artist; 1 where there are none."""
    used = rows[rows["part"] != "excluded"]
    return float((used["grouped_by"] != "artist").mean()) if len(used) else 1.0


def featured_share(rows: pd.DataFrame, songs: pd.DataFrame) -> float | None:
    """Share of test songs that credit a performer of a training song beside their own.

    Such are guests ("feat. B", also where the title names them), and partners ("A & B").

    Parameters
    ----------
    rows : current rows of a split.
    songs : song_id, artist and, where known, title.

    Returns
    -------
    float or None : None where there is no test song.
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
    """Raise if a group, or songs that share a key, lie in more than one part or fold.

    Parameters
    ----------
    rows : current rows of a split: song_id, group_id, part, fold, reason. Excluded songs do not count.
    links : song_id, kind, key from :func:`song_links`; without them only ``group_id`` is checked.
    allow_declared : let through what was let through when the split was assigned
        ([splits] allow_declared_leak); figures are flagged by :func:`grouping`.

    Raises
    ------
    SplitLeakError : naming the groups.
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
    """Count performers and recordings that a split divides.

    Parameters
    ----------
    rows : current rows of a split: song_id, part, fold, reason; excluded songs do not count.
    songs : song_id, artist and, where known, album_artist, which counts where no artist is named.
    clips : song_id, and of sha256, audio_id and sound_sha256 those that are known.
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
    """Find the links of new songs that declared parts tear.

    Parameters
    ----------
    songs : song_id, part of all songs that have one.
    links : song_id, kind, key.
    new : song ids; a link counts where one of these has it.

    Returns
    -------
    DataFrame : song_id, kind, key, code, part of the songs on such links.
    """
    tied = links.assign(code=key_codes(links)).merge(songs[["song_id", "part"]], on="song_id")
    parts = tied.groupby("code")["part"].nunique()
    tied = tied[tied["code"].isin(parts.index[parts > 1])]
    return tied[tied["code"].isin(tied.loc[tied["song_id"].isin(new), "code"])]


def declared_leak(torn: pd.DataFrame, artists: pd.Series) -> SplitLeakError:
    """Make the error that names the groups which a declared split divides."""
    leaks = []
    for _, cells in torn.groupby("code", sort=True):
        examples = cells.sort_values("song_id").drop_duplicates("part")
        where = [f"song {song} in {part}" for song, part in zip(examples["song_id"], examples["part"], strict=True)]
        called = artists.reindex(cells["song_id"]).dropna()
        name = f" ({called.iloc[0]})" if len(called) else ""
        leaks.append(f"{cells['kind'].iloc[0]} {cells['key'].iloc[0]}{name}: {len(cells)} songs, {', '.join(where)}")
    return SplitLeakError(
        f"the declared split divides {len(leaks)} groups: {_some(leaks)}. Mend it, set [splits] declared = "
        '"ignore" to divide anew, or allow_declared_leak = true to keep it and have every figure flagged.'
    )


def count_groups(
    labels: pd.DataFrame, songs: pd.DataFrame, new: pd.Series, recording: pd.Series | None = None
) -> pd.DataFrame:
    """Count songs and groups of every genre that new songs have: genre_id, songs, groups.

    Parameters
    ----------
    recording : recording of each song, by song id; copies of one count once.
    """
    labelled = labels.merge(songs[["song_id", "group_id"]], on="song_id")
    labelled = labelled[labelled["genre_id"].isin(labelled.loc[labelled["song_id"].isin(new), "genre_id"])]
    counted = labelled["song_id"] if recording is None else labelled["song_id"].map(recording)
    by_genre = labelled.assign(counted=counted).groupby("genre_id", as_index=False)
    return by_genre.agg(songs=("counted", "nunique"), groups=("group_id", "nunique"))


def check_group_share(groups: pd.Series, judged: pd.Series, names: pd.Series, largest: float) -> None:
    """Raise SplitError if a group holds too much of a library of 1,000 songs or more.

    Parameters
    ----------
    groups : group id of every song in use, by song id.
    judged : group ids to judge.
    names : what people call a song's artist, by song id.
    largest : largest share that a group may hold.
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
            f"group {group} ({artist}) holds {sizes.iloc[0]} of {total} songs, {sizes.iloc[0] / total:.1%}, "
            f"more than [splits] max_group_share = {largest:g}{others}. If the name stands for many artists, clear it "
            "in the source; else raise max_group_share."
        )


def check_divisible(counts: pd.DataFrame, parts: list[str], group_by: str) -> None:
    """Raise SplitError if a genre has fewer groups than there are parts to put them in.

    Parameters
    ----------
    counts : genre_id, songs, groups of the genres that training would use.
    """
    short = counts[counts["groups"] < len(parts)].sort_values(["groups", "genre_id"])
    if len(short):
        listed = [f"{row.genre_id} ({row.groups} of {row.songs} songs)" for row in short.itertuples()]
        raise SplitError(
            f"grouped by {group_by}, {len(short)} of {len(counts)} genres have fewer groups than the {len(parts)} "
            f"parts ({', '.join(parts)}), so they cannot be judged; groups: {_some(listed)}. Name the genres to use in "
            "[train] genres, raise [train] min_songs above theirs, set [splits] promotion = 0, or group by less."
        )


def _places(place_of: dict[str, str], pairs: Iterable[tuple[str, object]]) -> dict[object, dict[str, str]]:
    """What is paired with songs in use = {song: its place}."""
    found: dict[object, dict[str, str]] = {}
    for song, value in pairs:
        if song in place_of:
            found.setdefault(value, {})[song] = place_of[song]
    return found


def _performers(songs: pd.DataFrame) -> list[str]:
    """Who performs each song: the artist, or else the album artist, unless that is known for others' songs only."""
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
    """The first artist of a credit without guests, as letters, digits and marks in one case; "" for nobody."""
    for value in re.split(r"[;\x00]", credit):
        name = value[: match.start()] if (match := _GUESTS.search(value)) else value
        if is_no_artist(name):
            continue
        letters = unicodedata.normalize("NFKD", name).casefold()
        # Combining accents of Latin, Greek and Cyrillic are one block; marks of other scripts are letters.
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
