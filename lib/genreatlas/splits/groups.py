"""Groups: the connected components of songs and what they share, joined to what is placed already."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse import csgraph

from genreatlas.ids import stable_id

PARTS = ("train", "promotion", "test")
#: Kinds of links between copies of one recording.
COPIES = ("isrc", "audio", "recording")
_FOLDS = 100  # more than there can be folds, so that part and fold fit in one number


@dataclass(frozen=True)
class Joined:
    """Where new songs belong.

    ``groups`` has one row per new song that may be used: song_id, group_id, part, fold; part is
    NULL for songs of groups that no earlier song placed. ``bridging`` are the songs left out.
    """

    groups: pd.DataFrame
    bridging: list[str]


def stack(*frames: pd.DataFrame) -> pd.DataFrame:
    """Put frames below each other; none of them, were it empty or all NULL, changes a type."""
    full = [
        frame.astype({"fold": "Int64"} | dict.fromkeys(set(frame) - {"fold"}, object)) for frame in frames if len(frame)
    ]
    return pd.concat(full, ignore_index=True) if full else frames[0].reset_index(drop=True)


def components(links: pd.DataFrame, song_ids: pd.Series) -> np.ndarray:
    """Number the connected components of songs under shared keys, in the order of `song_ids`.

    Parameters
    ----------
    links : song_id, kind, key; rows of songs that are not in `song_ids` are ignored.
    song_ids : (n,) distinct songs.

    Returns
    -------
    (n,) int component of each song.
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
    """Number the recordings: songs with one ISRC, one sound or one fingerprint are copies of one.

    Parameters
    ----------
    links : song_id, kind, key from :func:`genreatlas.splits.song_links`.
    song_ids : (n,) distinct songs.

    Returns
    -------
    (n,) int recording of each song.
    """
    return components(links[links["kind"].isin(COPIES)], song_ids)


def copies(links: pd.DataFrame, song_ids: pd.Series, places: pd.DataFrame) -> pd.DataFrame:
    """Name the copy that counts of every recording that several songs hold.

    Parameters
    ----------
    links : song_id, kind, key.
    song_ids : (n,) distinct songs.
    places : song_id, part of the songs that have one.

    Returns
    -------
    DataFrame : song_id, recording_id; one row for each song that is not alone, sorted. The copy that counts is the
        first by part (train, promotion, test, other or none), then by id.
    """
    found = pd.DataFrame({"song_id": song_ids.to_numpy(dtype=object), "recording": recordings(links, song_ids)})
    found = found[found["recording"].duplicated(keep=False)]
    rank = found["song_id"].map(places.set_index("song_id")["part"].map({part: n for n, part in enumerate(PARTS)}))
    found = found.assign(rank=rank.astype("float64").fillna(len(PARTS))).sort_values(["rank", "song_id"])
    found["recording_id"] = found.groupby("recording")["song_id"].transform("first")
    return found.sort_values("song_id", ignore_index=True)[["song_id", "recording_id"]]


def key_codes(links: pd.DataFrame) -> np.ndarray:
    """Number the distinct (kind, key) pairs."""
    return pd.factorize(links["kind"].astype(str) + ":" + links["key"].astype(str))[0]


def later_links(active: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Find placed songs that a link found later ties to songs of another place.

    Of songs that share a key over several places (a part, or a fold of train), those in train stay,
    or else those of the first part in the order train, promotion, test; among folds, those of the
    fold with most of them. The rest has to go.

    Parameters
    ----------
    active : song_id, group_id, part, fold of songs that are placed and not excluded.
    links : song_id, kind, key.

    Returns
    -------
    DataFrame : the rows of `active` to exclude.
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
    """Join new songs to the groups that are placed, or to new groups.

    A song whose keys lead to several places is left out: it would bridge groups that were placed
    apart. Where a chain of new songs does so, the chain goes to the place with most of its direct
    links (train first where equal), and its songs with direct links elsewhere are left out.

    Parameters
    ----------
    songs : song ids of the new songs, sorted.
    active : song_id, group_id, part, fold of songs that are placed and not excluded.
    links : song_id, kind, key of both.
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
    """Songs with a direct link away from the place that most direct links of their component lead to."""
    counts = touching.drop_duplicates(["song_id", "place"]).groupby(["component", "place"], as_index=False).size()
    counts = counts[counts["component"].duplicated(keep=False)]
    counts = counts.sort_values(["component", "size", "place"], ascending=[True, False, True])
    lost = counts[counts["component"].duplicated()]
    return set(touching.merge(lost[["component", "place"]], on=["component", "place"])["song_id"])


def _placed_links(active: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Links of placed songs, with the code of their key and their place: 100 * part + fold + 1 (0 outside train)."""
    folds = active["fold"].astype("Int64").fillna(-1).astype("int64") + 1
    ranks = active["part"].map({part: rank for rank, part in enumerate(PARTS)}).astype("int64")
    placed = active.assign(place=ranks * _FOLDS + folds)[["song_id", "group_id", "place"]]
    coded = pd.DataFrame({"song_id": links["song_id"], "key_code": key_codes(links)})
    return coded.merge(placed, on="song_id")
