"""Groups: connected components of songs that share keys, joined to groups that are assigned already."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse import csgraph

from genreatlas.ids import stable_id

PARTS = ("train", "promotion", "test")
#: Kinds of links between copies of one recording.
COPIES = ("isrc", "audio", "recording")
_FOLDS = 100  # above the maximum number of folds, so that part and fold can be coded in one number


@dataclass(frozen=True)
class Joined:
    """Groups of new songs.

    ``groups`` has one row per usable new song: song_id, group_id, part, fold; part is NULL for new groups. ``bridging``
    are ids of songs that are left out.
    """

    groups: pd.DataFrame
    bridging: list[str]


def stack(*frames: pd.DataFrame) -> pd.DataFrame:
    """Concatenate frames with fixed types, which empty frames and NULL columns do not change."""
    full = [
        frame.astype({"fold": "Int64"} | dict.fromkeys(set(frame) - {"fold"}, object)) for frame in frames if len(frame)
    ]
    return pd.concat(full, ignore_index=True) if full else frames[0].reset_index(drop=True)


def components(links: pd.DataFrame, song_ids: pd.Series) -> np.ndarray:
    """Find the connected components of songs that share keys.

    Parameters
    ----------
    links : song_id, kind, key; rows of songs that are not in ``song_ids`` are ignored.
    song_ids : (n,) distinct song ids.

    Returns
    -------
    (n,) int, index of the component of each song in ``song_ids``.
    """
    songs = pd.Index(song_ids).get_indexer(links["song_id"])
    keys = key_codes(links)
    known = songs >= 0
    size = len(song_ids) + (int(keys.max()) + 1 if len(keys) else 0)
    ones = np.ones(int(known.sum()), dtype=np.int8)
    graph = sparse.coo_matrix((ones, (songs[known], len(song_ids) + keys[known])), shape=(size, size))
    components: np.ndarray = csgraph.connected_components(graph, directed=False)[1]
    return components[: len(song_ids)]


def recordings(links: pd.DataFrame, song_ids: pd.Series) -> np.ndarray:
    """Find recordings: songs with the same ISRC, audio or fingerprint are copies of one recording.

    Parameters
    ----------
    links : song_id, kind, key from :func:`genreatlas.splits.song_links`.
    song_ids : (n,) distinct song ids.

    Returns
    -------
    (n,) int, index of the recording of each song.
    """
    return components(links[links["kind"].isin(COPIES)], song_ids)


def copies(links: pd.DataFrame, song_ids: pd.Series, places: pd.DataFrame) -> pd.DataFrame:
    """Choose one song to represent each recording that has several songs.

    Parameters
    ----------
    links : song_id, kind, key.
    song_ids : (n,) distinct song ids.
    places : song_id, part of the songs that have one.

    Returns
    -------
    DataFrame : song_id, recording_id; one row for each song with copies, sorted. ``recording_id`` is the id of the
        representing song: the first by part (train, promotion, test, other or none), then by id.
    """
    found = pd.DataFrame({"song_id": song_ids.to_numpy(dtype=object), "recording": recordings(links, song_ids)})
    found = found[found["recording"].duplicated(keep=False)]
    rank = found["song_id"].map(places.set_index("song_id")["part"].map({part: n for n, part in enumerate(PARTS)}))
    found = found.assign(rank=rank.astype("float64").fillna(len(PARTS))).sort_values(["rank", "song_id"])
    found["recording_id"] = found.groupby("recording")["song_id"].transform("first")
    return found.sort_values("song_id", ignore_index=True)[["song_id", "recording_id"]]


def key_codes(links: pd.DataFrame) -> np.ndarray:
    """Integer code of the (kind, key) pair of each link."""
    return pd.factorize(links["kind"].astype(str) + ":" + links["key"].astype(str))[0]


def later_links(active: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Find assigned songs that new links connect with songs in another part or fold, and choose which to exclude.

    If songs in several places (a part, or a fold of train) share a key, those in the first part in the order train,
    promotion, test are kept; among folds, those in the fold with most of these songs. The others are to be excluded.

    Parameters
    ----------
    active : song_id, group_id, part, fold of songs that are assigned and not excluded.
    links : song_id, kind, key.

    Returns
    -------
    DataFrame : the rows of ``active`` to exclude.
    """
    held = _placed_links(active, links)
    counts = held.groupby(["key_code", "place"], as_index=False).size()
    counts = counts[counts["key_code"].duplicated(keep=False)]
    counts["rank"] = counts["place"] // _FOLDS
    counts = counts.sort_values(["key_code", "rank", "size", "place"], ascending=[True, True, False, True])
    lost = counts[counts["key_code"].duplicated()]
    gone = held.merge(lost[["key_code", "place"]], on=["key_code", "place"])["song_id"]
    return active[active["song_id"].isin(gone)]


def join(songs: pd.Series, active: pd.DataFrame, links: pd.DataFrame) -> Joined:
    """Join new songs to assigned groups, or to new groups.

    A song that shares keys with songs in several places (parts or folds) is left out, as it would connect groups in
    different places. If a component of new songs does so, it is joined to the place with most of its direct links
    (ties: train first), and its songs with direct links to other places are left out.

    Parameters
    ----------
    songs : ids of the new songs, sorted.
    active : song_id, group_id, part, fold of songs that are assigned and not excluded.
    links : song_id, kind, key of new and assigned songs.
    """
    codes = pd.DataFrame({"song_id": links["song_id"], "key_code": key_codes(links)})
    held = _placed_links(active, links)
    touching = codes[codes["song_id"].isin(songs)].merge(
        held[["key_code", "place", "group_id"]].drop_duplicates(), on="key_code"
    )
    touching = touching[["song_id", "place", "group_id"]].drop_duplicates()
    bridging: set[str] = set()
    several = touching.groupby("song_id")["place"].nunique()
    gone = set(several.index[several > 1])
    while True:
        bridging |= gone
        songs = songs[~songs.isin(gone)].reset_index(drop=True)
        touching = touching[~touching["song_id"].isin(gone)]
        component = pd.Series(components(links, songs), index=songs.to_numpy(), dtype="int64")
        touching = touching.assign(component=touching["song_id"].map(component))
        gone = _off_the_main_place(touching)
        if not gone:
            break
    places = touching.sort_values("group_id").drop_duplicates("component").set_index("component")
    groups = pd.DataFrame({"song_id": songs, "component": component.to_numpy()})
    first = groups.drop_duplicates("component").set_index("component")["song_id"]  # songs are sorted
    new_ids = first[~first.index.isin(places.index)].map(lambda song: stable_id("group", song))
    groups["group_id"] = groups["component"].map(pd.concat([places["group_id"], new_ids]))
    place = groups["component"].map(places["place"])
    groups["part"] = (place // _FOLDS).map(dict(enumerate(PARTS))).astype(object).where(place.notna(), None)
    folds = (place % _FOLDS - 1).astype("Int64")
    groups["fold"] = folds.mask(folds < 0)
    return Joined(groups.drop(columns="component"), sorted(bridging))


def _off_the_main_place(touching: pd.DataFrame) -> set[str]:
    """Ids of songs with a direct link to another place than most direct links of their component."""
    counts = touching.drop_duplicates(["song_id", "place"]).groupby(["component", "place"], as_index=False).size()
    counts = counts[counts["component"].duplicated(keep=False)]
    counts = counts.sort_values(["component", "size", "place"], ascending=[True, False, True])
    lost = counts[counts["component"].duplicated()]
    return set(touching.merge(lost[["component", "place"]], on=["component", "place"])["song_id"])


def _placed_links(active: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Links of assigned songs with key code, group and place, coded as 100 * part + fold + 1 (+ 0 without fold)."""
    folds = active["fold"].astype("Int64").fillna(-1).astype("int64") + 1
    ranks = active["part"].map({part: rank for rank, part in enumerate(PARTS)}).astype("int64")
    placed = active.assign(place=ranks * _FOLDS + folds)[["song_id", "group_id", "place"]]
    coded = pd.DataFrame({"song_id": links["song_id"], "key_code": key_codes(links)})
    return coded.merge(placed, on="song_id")
