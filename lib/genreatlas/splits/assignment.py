"""Place the songs that have no place yet; move none that has."""

from dataclasses import dataclass

import pandas as pd

from genreatlas.config import SplitsSection
from genreatlas.errors import ConfigError, Reason
from genreatlas.ids import stable_id
from genreatlas.splits import checks
from genreatlas.splits.dealing import deal, deal_folds, part_shares
from genreatlas.splits.groups import PARTS, components, join, later_links, recordings, stack

_COLUMNS = ["song_id", "group_id", "grouped_by", "part", "fold", "reason"]


@dataclass(frozen=True)
class Library:
    """What is known of all songs.

    ``songs`` has song_id, source, artist, declared_split; ``genres`` song_id, genre_id; ``links``
    song_id, kind, key from :func:`genreatlas.splits.song_links`; ``judged`` song_id, genre_id of the
    labels that training would use (None: ``genres``).
    """

    songs: pd.DataFrame
    genres: pd.DataFrame
    links: pd.DataFrame
    judged: pd.DataFrame | None = None

    def in_order(self) -> "Library":
        """The same, independent of the order in which rows were read."""
        genres = self.genres[["song_id", "genre_id"]].drop_duplicates()
        return Library(
            self.songs.drop_duplicates("song_id").sort_values("song_id", ignore_index=True),
            genres.sort_values(["song_id", "genre_id"], ignore_index=True),
            self.links,  # their order decides nothing
            genres if self.judged is None else self.judged[["song_id", "genre_id"]].drop_duplicates(),
        )

    @property
    def recording(self) -> pd.Series:
        """Number of each song's recording, by song id: copies have one."""
        songs = self.songs["song_id"]
        return pd.Series(recordings(self.links, songs), index=songs.to_numpy())

    @property
    def counted(self) -> pd.DataFrame:
        """``genres`` in which each recording has each of its genres once."""
        labelled = self.genres.assign(recording=self.genres["song_id"].map(self.recording))
        return labelled.drop_duplicates(["recording", "genre_id"]).drop(columns="recording")

    @property
    def artists(self) -> pd.Series:
        """The credit that people know a song by, by song id."""
        return self.songs.set_index("song_id")["artist"]


@dataclass(frozen=True)
class Assignment:
    """New rows of one split version: song_id, group_id, grouped_by, part, fold, reason; sorted by song.

    ``pending`` counts the songs that had no row, ``withdrawn`` those that were placed and are
    excluded now because a later link ties them to another place.
    """

    rows: pd.DataFrame
    pending: int
    withdrawn: int


def assign(library: Library, placed: pd.DataFrame, settings: SplitsSection, min_songs: int = 1) -> Assignment:
    """Divide the songs that have a genre and no row yet; the order of any input makes no difference.

    Songs whose source assigns parts keep them ([splits] declared = "honour"). In such a source, a
    song that is in none of its parts is left out (``not_declared``) where the source names a
    training part, as filtered lists do, and trains where it names only the others.

    Parameters
    ----------
    library : all songs, placed or not.
    placed : current rows of the split (:func:`genreatlas.splits.current`), empty at first.
    settings : [splits].
    min_songs : judged genres with at least so many songs must have a group for every part.

    Raises
    ------
    SplitError : a genre with fewer groups than parts, or a group above ``max_group_share``.
    SplitLeakError : declared parts that divide a group.
    ConfigError : folds or grouping that differ from those of the rows already there.
    """
    library = library.in_order()
    _check_settings(placed, settings)
    active = placed[placed["part"] != "excluded"].sort_values("song_id", ignore_index=True)
    active, withdrawn = _withdraw(active, library.links)
    songs = library.songs
    fresh = songs[songs["song_id"].isin(library.genres["song_id"]) & ~songs["song_id"].isin(placed["song_id"])]
    ids = fresh["song_id"].reset_index(drop=True)
    declared = _declared_parts(songs, settings).reindex(ids)
    listed = declared[declared.isin(PARTS)].rename("part").reset_index()
    by_list = _place_declared(listed, active, library, settings)
    left_out = _excluded(declared.index[declared == Reason.NOT_DECLARED.value], Reason.NOT_DECLARED)
    active = stack(active, by_list[by_list["part"] != "excluded"])
    free = ids[declared.isna().to_numpy()].reset_index(drop=True)
    dealt = _place_free(free, active, library, settings, min_songs)
    made = stack(withdrawn, by_list, left_out, dealt)
    made = _name_what_grouped(made, active, library.links).sort_values("song_id", ignore_index=True)
    return Assignment(made[_COLUMNS], len(fresh), len(withdrawn))


def _place_declared(
    listed: pd.DataFrame, active: pd.DataFrame, library: Library, settings: SplitsSection
) -> pd.DataFrame:
    """Songs keep the part that their source assigns; folds are dealt to the groups of train."""
    if listed.empty:
        return _excluded([], Reason.BRIDGES_GROUPS)
    both = pd.concat([active[["song_id", "part"]], listed], ignore_index=True)
    links = library.links[library.links["song_id"].isin(both["song_id"])]
    torn = checks.torn_links(both, links, listed["song_id"])
    if len(torn) and not settings.allow_declared_leak:
        raise checks.declared_leak(torn, library.artists)
    component = pd.Series(components(links, both["song_id"])[len(active) :], index=listed.index)
    leaky = component.isin(component[listed["song_id"].isin(torn["song_id"])])
    sound = join(listed.loc[~leaky, "song_id"].reset_index(drop=True), active, links)
    rows = sound.groups.drop(columns="part").merge(listed, on="song_id").assign(reason=None)
    divided = listed[leaky].assign(reason=Reason.DECLARED_LEAK.value, fold=None)
    first = divided.groupby(component[leaky])["song_id"].transform("min")
    divided["group_id"] = [stable_id("group", song_id) for song_id in first]
    rows = deal_folds(stack(rows, divided), active, library.counted, settings)
    return stack(rows, _excluded(sound.bridging, Reason.BRIDGES_GROUPS))


def _place_free(
    free: pd.Series, active: pd.DataFrame, library: Library, settings: SplitsSection, min_songs: int
) -> pd.DataFrame:
    """Songs join the group that is placed, or their new group goes where its genres are short."""
    if free.empty:
        return _excluded([], Reason.BRIDGES_GROUPS)
    joined = join(free, active, library.links)
    rows = joined.groups.assign(reason=None)
    groups = stack(active, rows).set_index("song_id")["group_id"]
    checks.check_group_share(groups, rows["group_id"], library.artists, settings.max_group_share)
    # Songs whose source names the parts say nothing about the shares of the others.
    songs = library.songs
    listing = songs.loc[songs["declared_split"].notna(), "source"]
    listed = songs.loc[songs["source"].isin(listing), "song_id"]
    counted = active[~active["song_id"].isin(listed)] if settings.declared == "honour" else active
    shares = part_shares(settings)
    labels = library.judged if library.judged is not None else library.genres
    counts = checks.count_groups(labels, stack(counted, rows), rows["song_id"], library.recording)
    checks.check_divisible(counts[counts["songs"] >= min_songs], [str(part) for part in shares], settings.group_by)
    held = stack(counted, rows[rows["part"].notna()])
    genres = library.counted
    rows["part"] = deal(rows, "part", held, genres, shares, settings.seed)
    rows = deal_folds(rows, active, genres, settings)
    return stack(rows, _excluded(joined.bridging, Reason.BRIDGES_GROUPS))


def _withdraw(active: pd.DataFrame, links: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Divide the placed songs into those that stay and rows that exclude the others."""
    lost = later_links(active[active["reason"] != Reason.DECLARED_LEAK.value], links)
    rows = lost.assign(part="excluded", fold=None, reason=Reason.BRIDGES_GROUPS.value)
    return active[~active["song_id"].isin(lost["song_id"])], rows


def _declared_parts(songs: pd.DataFrame, settings: SplitsSection) -> pd.Series:
    """Per song: its declared part, ``not_declared`` where its source leaves it out, None where it is free."""
    frame = songs.set_index("song_id")
    parts, source = frame["declared_split"].astype(object), frame["source"]
    if settings.declared == "ignore":
        return pd.Series(None, index=frame.index, dtype=object)
    rest = dict.fromkeys(source[parts.notna()], "train")
    rest |= dict.fromkeys(source[parts == "train"], Reason.NOT_DECLARED.value)
    return parts.where(parts.notna(), source.map(rest).astype(object))


def _name_what_grouped(rows: pd.DataFrame, active: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Fill ``grouped_by`` where it is empty: artist or album, else recording (copies) or song."""
    kinds = links[links["kind"].isin(["artist", "album"])].drop_duplicates("song_id").set_index("song_id")["kind"]
    sizes = stack(active, rows).drop_duplicates("song_id")["group_id"].value_counts()
    alone = rows["group_id"].map(sizes) == 1
    named = rows["song_id"].map(kinds).astype(object)
    named = named.where(named.notna(), alone.map({True: "song", False: "recording"}))
    known = rows["grouped_by"] if "grouped_by" in rows else pd.Series(None, index=rows.index, dtype=object)
    return rows.assign(grouped_by=known.where(known.notna(), named))


def _excluded(song_ids: pd.Index | list[str], reason: Reason) -> pd.DataFrame:
    rows = pd.DataFrame({"song_id": list(song_ids)}, dtype=object)
    rows["group_id"] = [stable_id("group", song_id) for song_id in rows["song_id"]]
    return rows.assign(part="excluded", fold=pd.array([pd.NA] * len(rows), "Int64"), reason=reason.value)


def _check_settings(placed: pd.DataFrame, settings: SplitsSection) -> None:
    advice = f'Rows of a split never move: name another one, such as [splits] name = "{settings.name}-2".'
    folds = placed["fold"].dropna()
    if len(folds) and int(folds.max()) >= settings.folds:
        raise ConfigError(
            f"[splits] folds = {settings.folds}, but split {settings.name!r} has {int(folds.max()) + 1}. {advice}"
        )
    foreign = {"artist": {"album"}, "album": set[str](), "song": {"artist", "album"}}[settings.group_by]
    if made_by := sorted(foreign & set(placed["grouped_by"])):
        raise ConfigError(
            f"[splits] group_by = {settings.group_by!r}, but split {settings.name!r} was grouped by {made_by[0]}. "
            f"{advice}"
        )
