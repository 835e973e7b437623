"""Inverted index over fingerprint codes, to find clips that share codes at the same offset.

A posting is one code of one clip. Codes of different songs are rarely equal (3 of 38,000 codes of 70 songs were), while
a copy shares a quarter of its codes or more, so there are few candidate pairs. The index is divided by code into slices
that fit a task. Shared codes found in slices are divided by pair of clips into buckets, in which they are counted.
"""

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.void]

#: One posting: a code, the clip's key, the index of the code's first occurrence, and flags FASTER and NEW.
POSTING = np.dtype([("code", "<u4"), ("key", "<i8"), ("place", "<u2"), ("flags", "u1")])
FASTER, NEW = 1, 2
#: A code that two clips share: their keys, the lower first; which clip's faster codes were used; the difference of the
#: code's indices, first minus second; and the segment of the first clip that contains the code.
SHARED = np.dtype([("low", "<i8"), ("high", "<i8"), ("speed", "u1"), ("offset", "<i2"), ("segment", "<u2")])
#: Which clip's faster codes are used: none, the first's, the second's.
SAME, LOW_FASTER, HIGH_FASTER = 0, 1, 2

#: Chromaprint's code of digital silence.
SILENCE = 627964279
#: Codes with more postings are dropped: they are not specific, and the number of pairs would be quadratic.
MOST_POSTINGS = 256
#: Each posting of a code is paired with this number of following postings by key, so not all pairs of many copies.
FOLLOWING = 24
#: One of this number of faster codes is indexed, chosen by value; a copy still shares 16 or more of them.
FASTER_KEPT = 4
#: Minimum number of codes that candidates share at one offset or two neighbouring offsets.
LEAST_SHARED = 3
#: Length of a segment, and the minimum number of segments that contain shared codes: at equal speed, and between normal
#: and faster codes. Coincidences are one run of a few codes; a copy shares codes everywhere in the overlap.
SEGMENT_CODES, LEAST_SEGMENTS, LEAST_SEGMENTS_FASTER = 12, 3, 2

_MULTIPLIER = np.uint32(2_654_435_761)  # Knuth's: consecutive codes go to different slices


def make_postings(
    keys: npt.NDArray[np.int64],
    new: npt.NDArray[np.bool_],
    codes: list[npt.NDArray[np.uint32]],
    faster: list[npt.NDArray[np.uint32]],
) -> Bytes:
    """Create postings of clips: each distinct code once, at its first index, without silence.

    Parameters
    ----------
    keys : (n_clips,) key of each clip.
    new : (n_clips,) whether the clip was never compared; pairs without a new clip are not found.
    codes, faster : codes of each clip at normal speed and 1 % faster.

    Returns
    -------
    (n,) of :data:`POSTING`.
    """
    found = []
    for flag, arrays in ((0, codes), (FASTER, faster)):
        lengths = np.array([len(one) for one in arrays], dtype=np.int64)
        if not lengths.sum():
            continue
        flat = np.concatenate(arrays).astype(np.uint32)
        clip = np.repeat(np.arange(len(arrays), dtype=np.uint64), lengths)
        place = np.arange(len(flat)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        kept = flat != SILENCE
        if flag:
            kept &= spread(flat) % FASTER_KEPT == 0
        flat, clip, place = flat[kept], clip[kept], place[kept]
        _, first = np.unique(clip << np.uint64(32) | flat, return_index=True)
        rows = np.zeros(len(first), dtype=POSTING)
        rows["code"], rows["place"] = flat[first], place[first]
        held = clip[first].astype(np.int64)
        rows["key"], rows["flags"] = keys[held], np.where(new[held], NEW, 0) | flag
        found.append(rows)
    return np.concatenate(found) if found else np.zeros(0, dtype=POSTING)


def mark(codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Hash table of codes with 2**24 entries, like a Bloom filter: a code with an unset entry is not among them."""
    marks = np.zeros(1 << 24, dtype=bool)
    marks[_mark_place(codes)] = True
    return marks


def only_marked(postings: Bytes, marks: npt.NDArray[np.bool_]) -> Bytes:
    """Postings of new clips, and postings of other clips whose code may be marked."""
    return postings[(postings["flags"] & NEW != 0) | marks[_mark_place(postings["code"])]]


def _mark_place(codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    return (codes * _MULTIPLIER) >> np.uint32(8)


def spread(codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Hash codes evenly to 0..65,535; needed since neighbouring codes differ in few bits."""
    return (codes * _MULTIPLIER) >> np.uint32(16)


def cut_by_code(postings: Bytes, slices: int) -> dict[int, Bytes]:
    """Divide postings into slices by code."""
    # The lowest bits of the hash already select faster codes.
    return _divided(postings, (spread(postings["code"]) // FASTER_KEPT) % np.uint32(slices))


def cut_by_pair(shared: Bytes, buckets: int) -> dict[int, Bytes]:
    """Divide shared codes into buckets, so that all shared codes of a pair of clips are in one bucket."""
    mixed = shared["low"] * np.int64(31) + shared["high"]
    return _divided(shared, (mixed % np.int64(buckets)).astype(np.uint32))


def _divided(rows: Bytes, number: npt.NDArray[np.uint32]) -> dict[int, Bytes]:
    if not len(rows):
        return {}
    order = np.argsort(number, kind="stable")
    found, first = np.unique(number[order], return_index=True)
    parts = np.split(rows[order], first[1:])
    return {int(one): part for one, part in zip(found, parts, strict=True)}


def shared_codes(postings: Bytes) -> Bytes:
    """Find codes shared by two clips of which at least one is new.

    Parameters
    ----------
    postings : all postings of one or more slices.

    Returns
    -------
    (n,) of :data:`SHARED`.
    """
    order = np.lexsort((postings["key"], postings["code"]))
    code = postings["code"][order]
    starts = np.flatnonzero(np.concatenate([[True], code[1:] != code[:-1]])) if len(code) else np.zeros(0, np.int64)
    sizes = np.diff(np.append(starts, len(code)))
    useful = np.repeat((sizes > 1) & (sizes <= MOST_POSTINGS), sizes)
    rows, code = postings[order[useful]], code[useful]
    key, place, flags = rows["key"].copy(), rows["place"].astype(np.int16), rows["flags"].copy()
    longest = int(sizes[(sizes > 1) & (sizes <= MOST_POSTINGS)].max(initial=0))
    found = []
    for lag in range(1, min(longest, 2 * FOLLOWING)):  # a clip has at most two postings of a code
        one, other = slice(None, -lag), slice(lag, None)
        both_faster = flags[one] & flags[other] & FASTER
        pairs = (code[one] == code[other]) & (key[one] != key[other]) & (both_faster == 0)
        pairs &= (flags[one] | flags[other]) & NEW != 0
        place_of = np.flatnonzero(pairs)
        if not len(place_of):
            continue
        part = np.zeros(len(place_of), dtype=SHARED)
        part["low"], part["high"] = key[place_of], key[place_of + lag]
        part["offset"] = place[place_of] - place[place_of + lag]
        part["segment"] = place[place_of] // SEGMENT_CODES
        part["speed"] = np.where(flags[place_of] & FASTER, LOW_FASTER, SAME)
        part["speed"][(flags[place_of + lag] & FASTER) != 0] = HIGH_FASTER
        found.append(part)
    return np.concatenate(found) if found else np.zeros(0, dtype=SHARED)


def candidates(shared: Bytes) -> tuple[Bytes, npt.NDArray[np.int64]]:
    """Find pairs of clips that share enough codes at one offset and speed.

    These are at least :data:`LEAST_SHARED` codes, in at least :data:`LEAST_SEGMENTS` segments (with faster codes, of
    which fewer are indexed, :data:`LEAST_SEGMENTS_FASTER`).

    Parameters
    ----------
    shared : all shared codes of one or more buckets.

    Returns
    -------
    rows : (n_pairs,) of :data:`SHARED`, the best speed and offset of each pair.
    counts : (n_pairs,) number of codes shared at this offset and the next.
    """
    order = np.lexsort((shared["offset"], shared["speed"], shared["high"], shared["low"]))
    rows = shared[order]
    if not len(rows):
        return rows, np.zeros(0, dtype=np.int64)
    pair = (rows["low"][1:] == rows["low"][:-1]) & (rows["high"][1:] == rows["high"][:-1])
    same_speed = pair & (rows["speed"][1:] == rows["speed"][:-1])
    step = rows["offset"][1:].astype(np.int64) - rows["offset"][:-1]
    starts = np.concatenate([[True], ~(same_speed & (step == 0))])
    first = np.flatnonzero(starts)
    count = np.diff(np.append(first, len(rows)))
    follows = np.append(same_speed[first[1:] - 1] & (step[first[1:] - 1] == 1), False)
    total = count + np.where(follows, np.append(count[1:], 0), 0)
    enough = total >= LEAST_SHARED
    needed = np.where(rows["speed"][first] == SAME, LEAST_SEGMENTS, LEAST_SEGMENTS_FASTER)
    enough[enough] = _segments(rows["segment"], np.cumsum(starts) - 1, follows, enough) >= needed[enough]
    rows, total = rows[first][enough], total[enough]
    order = np.lexsort((rows["offset"], rows["speed"], -total, rows["high"], rows["low"]))
    rows, total = rows[order], total[order]
    best = np.ones(len(rows), dtype=bool)
    best[1:] = (rows["low"][1:] != rows["low"][:-1]) | (rows["high"][1:] != rows["high"][:-1])
    return rows[best], total[best]


def _segments(
    segment: npt.NDArray[np.uint16], group: npt.NDArray[np.int64], follows: npt.NDArray[np.bool_],
    asked: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:  # fmt: skip
    """Number of different segments in each of the asked groups of rows, including the next group where it ``follows``.

    Parameters
    ----------
    segment, group : (n_rows,) segment and group of each row.
    follows, asked : (n_groups,).
    """
    own = asked[group]
    before = group > 0
    before[before] = (asked & follows)[group[before] - 1]
    held = np.concatenate([group[own], group[before] - 1]) << 16 | np.concatenate([segment[own], segment[before]])
    return np.bincount(np.unique(held) >> 16, minlength=len(asked))[asked]
