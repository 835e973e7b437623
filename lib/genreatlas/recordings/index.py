"""An inverted index over fingerprint codes: which clips share codes at one offset.

A posting is one code of one clip. Codes of different songs are rarely equal (3 of 38,000 codes of 70 songs were), while
a copy shares a quarter of its codes or more, so few postings make a pair. The index is cut by code into slices that fit
a task, and the pairs that slices find are cut by pair into buckets, in which they are counted.
"""

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.void]

#: One posting: a code, the clip's key, the place of its first occurrence, and FASTER and NEW.
POSTING = np.dtype([("code", "<u4"), ("key", "<i8"), ("place", "<u2"), ("flags", "u1")])
FASTER, NEW = 1, 2
#: A code that two clips share: their keys, the lower first, whose codes are the faster ones, and the first's place less
#: the second's.
SHARED = np.dtype([("low", "<i8"), ("high", "<i8"), ("speed", "u1"), ("offset", "<i2")])
#: Whose codes are the faster ones: nobody's, the first's, the second's.
SAME, LOW_FASTER, HIGH_FASTER = 0, 1, 2

#: Chromaprint's code of digital silence.
SILENCE = 627964279
#: Codes in more postings than this are dropped: they tell nothing, and would make a pair of each two.
MOST_POSTINGS = 256
#: Postings of a code are paired with so many that follow, by key: of a hundred copies not each two are compared here.
FOLLOWING = 24
#: Of the faster codes one in so many is indexed, by its value: a copy shares 16 of them and more.
FASTER_KEPT = 4
#: Candidates share at least so many codes at one offset, or at two neighbouring ones.
LEAST_SHARED = 3

_MULTIPLIER = np.uint32(2_654_435_761)  # Knuth's: consecutive codes go to different slices


def make_postings(
    keys: npt.NDArray[np.int64],
    new: npt.NDArray[np.bool_],
    codes: list[npt.NDArray[np.uint32]],
    faster: list[npt.NDArray[np.uint32]],
) -> Bytes:
    """Postings of some clips: each code once, at its first place, without silence.

    Parameters
    ----------
    keys : (n_clips,) number of each clip.
    new : (n_clips,) whether it is to be compared; clips that are not new are compared with those that are.
    codes, faster : codes of each clip.

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
    """Which of 2**24 places some codes lie at: a code at another place is none of them."""
    marks = np.zeros(1 << 24, dtype=bool)
    marks[_mark_place(codes)] = True
    return marks


def only_marked(postings: Bytes, marks: npt.NDArray[np.bool_]) -> Bytes:
    """Postings of new clips, and those of others that may have a marked code."""
    return postings[(postings["flags"] & NEW != 0) | marks[_mark_place(postings["code"])]]


def _mark_place(codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    return (codes * _MULTIPLIER) >> np.uint32(8)


def spread(codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Numbers that are evenly spread, from 0 to 65,535: neighbouring codes differ in few bits."""
    return (codes * _MULTIPLIER) >> np.uint32(16)


def cut_by_code(postings: Bytes, slices: int) -> dict[int, Bytes]:
    """Postings by the slice that their code lies in."""
    # the lowest bits choose faster codes
    return _divided(postings, (spread(postings["code"]) // FASTER_KEPT) % np.uint32(slices))


def cut_by_pair(shared: Bytes, buckets: int) -> dict[int, Bytes]:
    """Shared codes by a bucket that all those of a pair of clips lie in."""
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
    """Codes that two clips share, one of them new, (n,) of :data:`SHARED`; postings are whole slices."""
    order = np.lexsort((postings["key"], postings["code"]))
    code = postings["code"][order]
    starts = np.flatnonzero(np.concatenate([[True], code[1:] != code[:-1]])) if len(code) else np.zeros(0, np.int64)
    sizes = np.diff(np.append(starts, len(code)))
    useful = np.repeat((sizes > 1) & (sizes <= MOST_POSTINGS), sizes)
    rows, code = postings[order[useful]], code[useful]
    key, place, flags = rows["key"].copy(), rows["place"].astype(np.int16), rows["flags"].copy()
    longest = int(sizes[(sizes > 1) & (sizes <= MOST_POSTINGS)].max(initial=0))
    found = []
    for lag in range(1, min(longest, 2 * FOLLOWING)):  # a clip has two postings of a code at most
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
        part["speed"] = np.where(flags[place_of] & FASTER, LOW_FASTER, SAME)
        part["speed"][(flags[place_of + lag] & FASTER) != 0] = HIGH_FASTER
        found.append(part)
    return np.concatenate(found) if found else np.zeros(0, dtype=SHARED)


def candidates(shared: Bytes) -> tuple[Bytes, npt.NDArray[np.int64]]:
    """Pairs that share enough codes at one offset, by any speed; shared codes are those of whole buckets.

    Returns
    -------
    Their rows of :data:`SHARED`, one a pair, and how many codes they share, at this offset and the next.
    """
    order = np.lexsort((shared["offset"], shared["speed"], shared["high"], shared["low"]))
    rows = shared[order]
    if not len(rows):
        return rows, np.zeros(0, dtype=np.int64)
    pair = (rows["low"][1:] == rows["low"][:-1]) & (rows["high"][1:] == rows["high"][:-1])
    same_speed = pair & (rows["speed"][1:] == rows["speed"][:-1])
    step = rows["offset"][1:].astype(np.int64) - rows["offset"][:-1]
    first = np.flatnonzero(np.concatenate([[True], ~(same_speed & (step == 0))]))
    count = np.diff(np.append(first, len(rows)))
    follows = np.append(same_speed[first[1:] - 1] & (step[first[1:] - 1] == 1), False)
    total = count + np.where(follows, np.append(count[1:], 0), 0)
    rows = rows[first]
    enough = total >= LEAST_SHARED
    rows, total = rows[enough], total[enough]
    order = np.lexsort((rows["offset"], rows["speed"], -total, rows["high"], rows["low"]))
    rows, total = rows[order], total[order]
    best = np.ones(len(rows), dtype=bool)
    best[1:] = (rows["low"][1:] != rows["low"][:-1]) | (rows["high"][1:] != rows["high"][:-1])
    return rows[best], total[best]
