"""Copies are found whatever was done to them, and nothing else is."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import soundfile

from genreatlas.audio.fingerprint import FASTER, fingerprint_codes
from genreatlas.recordings import index, tasks
from genreatlas.recordings.grouping import Link, Pair, classify_pairs, complete_links, make_links, missing_pairs
from genreatlas.recordings.index import candidates, cut_by_code, cut_by_pair, make_postings, shared_codes
from genreatlas.recordings.jobs import best_matches
from genreatlas.recordings.kinds import Facts, differing_mark, kind_of, marks, plain_title
from genreatlas.recordings.verifying import Match, align, compare
from genreatlas.splits import recordings, song_links
from melodies import RATE, encoded, melody, resampled

SONG = melody(11)
NOISE = np.random.default_rng(5)
COPIES = {
    "MP3": encoded(SONG),
    "a small MP3": encoded(SONG, level=0.95),
    "OGG": encoded(SONG, "OGG"),
    "Opus": encoded(resampled(SONG, RATE / 48_000), "OPUS", 48_000),
    "louder": encoded(np.clip(2.8 * SONG, -1, 1)),
    "quieter": encoded(0.35 * SONG),
    "at 22 kHz": encoded(resampled(SONG, 2.0), rate=RATE // 2),
    "cut": encoded(SONG[5 * RATE :]),
    "faded": encoded(SONG * np.clip(np.arange(SONG.size) / (4 * RATE), 0, 1)),
    "after silence": encoded(np.concatenate([np.zeros(3 * RATE, np.float32), SONG[: 27 * RATE]])),
    "faster": encoded(resampled(SONG, 1.01)),
    "slower": encoded(resampled(SONG, 0.99)),
}


def codes_of(file: bytes) -> tuple[np.ndarray, np.ndarray]:
    samples, rate = soundfile.read(io.BytesIO(file), dtype="float32")
    codes, faster = fingerprint_codes(samples, rate).astype(np.uint32)
    return codes, faster


def hum(seed: int) -> np.ndarray:
    """A drone of one chord, with noise of its own."""
    time = np.arange(30 * RATE) / RATE
    tones = sum(np.sin(2 * np.pi * hz * time + seed * hz) for hz in (110.0, 165.0, 220.0, 277.2))
    return (0.1 * tones + 0.01 * np.random.default_rng(seed).standard_normal(time.size)).astype(np.float32)


@pytest.fixture(scope="module")
def prints():
    """Fingerprints by name: a song, its copies, other songs, drones."""
    found = {"song": codes_of(encoded(SONG, "WAV"))} | {name: codes_of(file) for name, file in COPIES.items()}
    found |= {f"other {seed}": codes_of(encoded(melody(seed))) for seed in range(20, 28)}
    return found | {f"drone {seed}": codes_of(encoded(hum(seed))) for seed in range(6)}


def search(prints, new=None, slices=3, buckets=2):
    """Candidates by names, with the codes that they share, as tasks find them."""
    names = list(prints)
    is_new = np.array([new is None or name in new for name in names])
    keys = np.arange(len(names), dtype=np.int64) * 7 - 40
    postings = make_postings(keys, is_new, *map(list, zip(*prints.values(), strict=True)))
    parts = [cut_by_pair(shared_codes(part), buckets) for part in cut_by_code(postings, slices).values()]
    found = {}
    for bucket in range(buckets):
        none = np.zeros(0, index.SHARED)
        rows, shared = candidates(np.concatenate([none, *(part[bucket] for part in parts if bucket in part)]))
        for row, count in zip(rows, shared, strict=True):
            pair = tuple(names[(int(row[end]) + 40) // 7] for end in ("low", "high"))
            found[pair] = (int(row["speed"]), int(row["offset"]), int(count))
    return found


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_found_and_verified(prints, name):
    speed, offset, shared = search({key: prints[key] for key in ("song", name)})["song", name]
    match = compare(prints["song"], prints[name], speed)
    assert shared >= 10 and match.is_sound and match.is_long and match.error < 0.08
    expected = {"cut": 5.0, "after silence": -3.0}.get(name, 0.0)
    assert match.offset_s == pytest.approx(expected, abs=0.2)
    assert -offset * 0.1238 == pytest.approx(-expected, abs=0.3)
    assert match.speed == {"faster": FASTER, "slower": 1 / FASTER}.get(name, 1.0)


def test_copies_make_one_recording_and_nothing_else_does(prints):
    found = search(prints)
    matches = {}
    for (one, other), (speed, _, _) in found.items():
        match = compare(prints[one], prints[other], speed)
        if match is not None and match.is_sound:
            matches[min(one, other), max(one, other)] = match
    songs = {name for pair in matches for name in pair}
    assert songs == {"song", *COPIES}
    for pair in missing_pairs(matches, 100):
        match = compare(*(prints[name] for name in pair))
        if match is not None and match.is_sound:
            matches[pair] = match
    groups = complete_links(classify_pairs(matches, {}, {}))
    assert len(set(groups.values())) <= 2  # a copy that is faster and one that is slower differ by 2 %
    assert {groups[name] for name in COPIES if name not in ("faster", "slower")} == {groups["song"]}


def test_a_drone_is_no_copy_of_another_although_their_bits_agree(prints):
    match = align(prints["drone 1"][0], prints["drone 2"][0])
    assert match.error < 0.15
    assert not match.is_sound


def test_slices_and_buckets_change_nothing(prints):
    assert search(prints, slices=1, buckets=1) == search(prints, slices=7, buckets=5)


def test_only_pairs_with_a_new_clip_are_asked(prints):
    every = search(prints)
    assert search(prints, new={"OGG"}) == {pair: row for pair, row in every.items() if "OGG" in pair}
    assert search(prints, new=set()) == {}


def test_few_new_clips_ask_for_their_codes_alone(prints):
    names = list(prints)
    is_new = np.array([name in ("OGG", "faster") for name in names])
    codes, faster = map(list, zip(*prints.values(), strict=True))
    postings = make_postings(np.arange(len(names)), is_new, codes, faster)
    asked = np.concatenate([array for name in ("OGG", "faster") for array in prints[name]])
    fewer = index.only_marked(postings, index.mark(asked))
    assert len(fewer) < len(postings) / 2
    np.testing.assert_array_equal(candidates(shared_codes(fewer))[0], candidates(shared_codes(postings))[0])


def test_frequent_and_silent_codes_make_no_posting_and_no_pair(monkeypatch):
    codes = np.append(np.arange(1, 41), index.SILENCE).astype(np.uint32)
    few = {f"{number}": (codes, codes[:0]) for number in range(4)}
    assert len(make_postings(np.arange(1), np.ones(1, bool), [codes], [codes[:0]])) == 40
    assert len(search(few)) == 6
    monkeypatch.setattr(index, "MOST_POSTINGS", 3)
    assert search(few) == {}


def test_of_many_copies_each_is_paired_with_those_that_follow(monkeypatch):
    monkeypatch.setattr(index, "FOLLOWING", 2)
    codes = np.arange(1, 40, dtype=np.uint32) * 1_000_003
    many = {f"{number:02}": (codes, codes[:0]) for number in range(30)}
    found = search(many)
    assert 29 <= len(found) < 30 * 4
    lacking = missing_pairs(found, 30)
    assert len(found) + len(lacking) == 30 * 29 // 2
    assert missing_pairs(found, 29) == []


def test_codes_at_changing_offsets_are_no_candidates():
    draw = np.random.default_rng(0)
    codes = draw.integers(1, 2**32, 200, dtype=np.uint32)
    assert search({"one": (codes, codes[:0]), "other": (codes[::-1].copy(), codes[:0])}) == {}


def test_one_run_of_equal_codes_is_no_candidate():
    draw = np.random.default_rng(2)
    one, other = (draw.integers(1, 2**32, 200, dtype=np.uint32) for _ in range(2))
    none = one[:0]
    other[60:72] = one[50:62]
    assert search({"one": (one, none), "other": (other, none)}) == {}
    for place in (50, 75, 100):  # one code in each of three segments, at one offset
        other = draw.integers(1, 2**32, 200, dtype=np.uint32)
        other[[60, 85, 110]] = one[[50, 75, 100]]
        assert len(search({"one": (one, none), "other": (other, none)})) == 1
        other[place + 11], other[place + 10] = other[place + 10], 0  # the next offset counts too
        assert len(search({"one": (one, none), "other": (other, none)})) == 1
        other[place + 11] = 0
        assert search({"one": (one, none), "other": (other, none)}) == {}


def test_faster_codes_need_two_segments():
    draw = np.random.default_rng(3)
    codes = draw.integers(1, 2**32, 4000, dtype=np.uint32)
    kept = codes[index.spread(codes) % index.FASTER_KEPT == 0]
    one, other = kept[:200], draw.integers(1, 2**32, 200, dtype=np.uint32)
    other[[60, 61, 85]] = one[[50, 51, 75]]
    assert len(search({"one": (one[:0], one), "other": (other, other[:0])})) == 1
    assert search({"one": (one, one[:0]), "other": (other, other[:0])}) == {}
    other[85] = 0
    assert search({"one": (one[:0], one), "other": (other, other[:0])}) == {}


def test_alignment_agrees_with_counting_bit_by_bit():
    draw = np.random.default_rng(1)
    one, other = draw.integers(0, 2**32, 150, dtype=np.uint32), draw.integers(0, 2**32, 170, dtype=np.uint32)
    other[12:162] = one
    other[20] ^= 0b1011
    match = align(one, other)
    assert match.error == 3 / (150 * 32)
    assert (match.overlap_s, match.offset_s) == (pytest.approx(150 * 1365 / 11025), pytest.approx(-12 * 1365 / 11025))
    assert 0.4 < match.others < 0.6
    assert align(one[:20], other) is None


def a_match(error=0.02, overlap_s=25.0, others=0.45, **more):
    return Match(error, others, overlap_s, 0.0, 1.0, **more)


@pytest.mark.parametrize(
    ("error", "next_error", "is_distinct"),
    [(0.04, 0.041, True), (0.05, 0.2, True), (0.05, 0.12, False), (0.09, 0.3, True), (0.1, 0.45, False),
     (0.05, float("nan"), True), (0.1, float("nan"), False)],
)  # fmt: skip
def test_a_match_is_distinct_if_no_other_offset_is_nearly_as_good(error, next_error, is_distinct):
    assert a_match(error, next_error=next_error).is_distinct == is_distinct


def test_a_match_as_good_at_other_offsets_needs_a_title_or_isrc():
    loop = a_match(0.06, next_error=0.07)
    one = Facts("Song", "First Band", "ISRC1")
    assert kind_of(loop, Facts(), Facts()) == ("doubt", "similar at other offsets too, as loops are")
    assert kind_of(loop, one, Facts("Other", "First Band"))[0] == "doubt"
    assert kind_of(loop, one, Facts("Song", "Second Band"))[0] == "doubt"
    assert kind_of(loop, one, Facts("Song", "First Band")) == ("copy", "sound, one title")
    assert kind_of(loop, one, Facts("Other", "Second Band", "ISRC1")) == ("copy", "sound, one ISRC")
    assert kind_of(a_match(0.06, next_error=0.4), one, Facts("Other")) == ("copy", "sound")


def test_loops_with_other_titles_are_no_versions_of_each_other():
    loop, one = a_match(0.1, next_error=0.12), Facts("Song", "First Band", duration_s=200)
    for other in (Facts("Other", "Second Band"), Facts("Other (Remix)"), Facts("Other", duration_s=320)):
        assert kind_of(loop, one, other) == ("doubt", "similar at other offsets too, as loops are")
    assert kind_of(loop, one, Facts("Song", "Second Band"))[0] == "cover"
    assert kind_of(loop, one, Facts("Song (Remix)", "Second Band"))[0] == "remix"
    assert kind_of(loop, one, Facts("Song", duration_s=320))[0] == "edit"


def test_a_match_with_many_differing_bits_needs_a_title_or_isrc():
    match = a_match(0.1, next_error=0.4)
    assert kind_of(match, Facts(), Facts()) == ("doubt", "more differs than in copies")
    assert kind_of(match, Facts("Song"), Facts("Song")) == ("copy", "sound, one title")


def test_the_best_match_of_two_songs_is_a_distinct_one():
    match = {"overlap_s": 25.0, "others": 0.45, "offset_s": 2.0, "speed": 1.0}
    names = {"song_id": "b", "other_song_id": "a"}
    rows = [
        names | match | {"error": 0.05, "next_error": 0.06},
        names | match | {"error": 0.08, "next_error": 0.4},
        names | match | {"error": 0.01, "next_error": 0.4, "overlap_s": 6.0},
    ]
    for order in (rows, rows[::-1]):
        assert best_matches(pd.DataFrame(order)) == {("a", "b"): Match(0.08, 0.45, 25.0, -2.0, 1.0, 0.4)}


def test_a_loop_that_repeats_has_a_small_error_at_other_offsets():
    draw = np.random.default_rng(4)
    bar = draw.integers(0, 2**32, 16, dtype=np.uint32)
    loop = np.tile(bar, 13)
    other = loop.copy()
    other[::4] ^= 0b111
    match = align(loop, other)
    assert match.error == pytest.approx(3 / 128)
    assert match.next_error == pytest.approx(3 / 128)
    once = draw.integers(0, 2**32, 208, dtype=np.uint32)
    assert align(once, once).next_error > 0.4


def test_a_song_that_matches_part_of_a_group_stays_apart_in_doubt():
    matches = {("a", "b"): a_match(0.01), ("b", "c"): a_match(0.02), ("x", "y"): a_match(0.03)}
    links = make_links(classify_pairs(matches, {}, {}), {})
    assert [(link.song_id, link.recording_id, link.kind) for link in links] == [
        ("a", "a", "copy"), ("b", "a", "copy"), ("c", "a", "doubt"), ("x", "x", "copy"), ("y", "x", "copy"),
    ]  # fmt: skip
    assert links[2].evidence == "not all match: sound: 0.020 of bits differ over 25.0 s"
    matches["a", "c"] = a_match(0.05)
    links = make_links(classify_pairs(matches, {}, {}), {})
    assert [(link.song_id, link.kind, link.score) for link in links[:3]] == [
        ("a", "copy", 0.9), ("b", "copy", 0.96), ("c", "copy", 0.9),
    ]  # fmt: skip


def test_the_order_of_pairs_makes_no_difference():
    draw = np.random.default_rng(3)
    pairs = [
        Pair(f"{one:02}", f"{other:02}", a_match(float(draw.integers(1, 9)) / 100), "copy", "sound")
        for one in range(12)
        for other in range(one + 1, 12)
        if draw.random() < 0.6
    ]
    expected = make_links(pairs, {})
    shuffled = [pairs[place] for place in draw.permutation(len(pairs))]
    assert complete_links(shuffled) == complete_links(pairs)
    assert make_links(sorted(shuffled, key=lambda pair: (pair.song_id, pair.other_id)), {}) == expected


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("Song", "Song", None),
        ("Song", "Song (feat. Guest)", None),
        ("Song (Original Mix)", "Song", None),
        ("Song (Club Remix)", "Song", "remix"),
        ("Song (A's Remix)", "Song (B's Remix)", "remix"),
        ("Song - Live at Wembley", "Song", "live"),
        ("Live and Let Die", "Live and Let Die", None),
        ("Song (Karaoke Version)", "Song", "cover"),
        ("Song - Remastered 2011", "Song", "master"),
        ("Song (2011 Remaster)", "Song - Remastered 2011", None),
        ("Song (Mono)", "Song (Stereo)", "master"),
        ("Song - Radio Edit", "Song", "edit"),
        (None, "Song (Live)", "live"),  # a file without a title may be either
        (None, "Song", None),
    ],
)
def test_names_tell_versions(one, other, kind):
    assert differing_mark(one, other) == differing_mark(other, one) == kind


def test_marks_stand_behind_a_title():
    assert set(marks("Dub Be Good to Me")) == set()
    assert set(marks("Song (Live) [Remastered 2009]")) == {"live", "master"}
    assert plain_title("The Song (Live) - Remix") == plain_title("the song")


@pytest.mark.parametrize(
    ("match", "one", "other", "timbre", "kind"),
    [
        (a_match(), Facts(), Facts(), None, "copy"),
        (a_match(), Facts("A", "X"), Facts("B", "Y"), None, "copy"),
        (a_match(0.12), Facts("A", "X"), Facts("A", "Y"), None, "cover"),
        (a_match(0.12), Facts("A", "X"), Facts("A", "X feat. Y"), None, "copy"),
        (a_match(0.12), Facts("A", "X"), Facts("B", "Y"), None, "cover"),
        (a_match(), Facts(duration_s=200), Facts(duration_s=206), None, "copy"),
        (a_match(), Facts(duration_s=200), Facts(duration_s=320), None, "edit"),
        (a_match(), Facts(duration_s=200), Facts(duration_s=30), None, "copy"),
        (a_match(overlap_s=8), Facts("A"), Facts("A"), 0.1, "copy"),
        (a_match(overlap_s=8), Facts("A"), Facts("A"), 0.8, "doubt"),
        (a_match(overlap_s=8), Facts("A"), Facts("A"), None, "doubt"),
        (a_match(overlap_s=8), Facts("A"), Facts("B"), 0.1, "doubt"),
        (a_match(overlap_s=8), Facts("A", isrc="I"), Facts("B", isrc="I"), 0.1, "copy"),
        (a_match(overlap_s=8), Facts("A", "X"), Facts("A", "Y"), 0.1, "doubt"),
    ],
)
def test_names_lengths_and_timbre_tell_what_a_link_is(match, one, other, timbre, kind):
    assert kind_of(match, one, other, timbre)[0] == kind_of(match, other, one, timbre)[0] == kind


def test_a_version_points_to_the_recording_that_it_was_made_of():
    facts = {"a": Facts("Song (Live)"), "b": Facts("Song"), "c": Facts("Song")}
    matches = {("a", "b"): a_match(0.05), ("a", "c"): a_match(0.06), ("b", "c"): a_match(0.01)}
    links = make_links(classify_pairs(matches, facts, {}), facts)
    assert links == [
        Link("a", "b", "live", 0.9, "names differ: 0.050 of bits differ over 25.0 s"),
        Link("b", "b", "copy", 0.98, "sound: 0.010 of bits differ over 25.0 s"),
        Link("c", "b", "copy", 0.98, "sound: 0.010 of bits differ over 25.0 s"),
    ]


def test_copies_are_one_recording_and_versions_only_stay_in_its_part():
    songs = pd.DataFrame({"song_id": list("abcdef")})
    rows = pd.DataFrame(
        [("a", "a", "copy"), ("b", "a", "copy"), ("c", "a", "live"), ("d", "a", "doubt"), ("e", "f", "remix")],
        columns=["song_id", "recording_id", "kind"],
    )
    links = song_links(songs, recordings=rows)
    number = recordings(links, songs["song_id"])
    assert number[0] == number[1] and len(set(number)) == 5
    tied = links.groupby(["kind", "key"])["song_id"].agg("".join).to_dict()
    assert tied == {("recording", "a"): "ab", ("version", "c:a"): "ac", ("version", "e:f"): "ef"}
    assert set(song_links(songs, recordings=rows, group_by="song")["kind"]) == {"recording"}


def test_tasks_pass_parts_of_the_index_on_as_bytes(prints):
    names = list(prints)
    signed = {
        name: pa.array([codes[place].view(np.int32) for codes in prints.values()], pa.list_(pa.int32()))
        for place, name in enumerate(("codes", "codes_faster"))
    }
    clips = pa.record_batch({"key": list(range(len(names))), "new": [True] * len(names)} | signed)
    posted = pa.Table.from_batches(list(tasks.post_batches(3, None, iter([clips, clips.slice(0, 0)]))))
    by_slice = [posted.filter(pc.equal(posted["part"], number)) for number in range(3)]
    shared = pa.concat_tables([tasks.share_slice(2, rows) for rows in by_slice])
    found = pa.concat_tables([tasks.count_bucket(shared.filter(pc.equal(shared["part"], number))) for number in (0, 1)])
    asked = {(names[row["low"]], names[row["high"]]): row for row in found.to_pylist()}
    expected = search(prints)
    assert {pair: (row["speed"], row["offset"], row["shared"]) for pair, row in asked.items()} == expected
    ends = {
        f"{prefix}{name}": [names[row[end]] for row in asked.values()]
        for prefix, end in (("", "low"), ("other_", "high"))
        for name in ("clip_id", "song_id")
    }
    codes = {
        f"{prefix}{name}": signed[name].take(pa.array([row[end] for row in asked.values()]))
        for prefix, end in (("", "low"), ("other_", "high"))
        for name in signed
    }
    speeds = {name: pa.array([row[name] for row in asked.values()], pa.int32()) for name in ("speed", "shared")}
    (matches,) = tasks.verify_batches(iter([pa.record_batch(ends | codes | speeds)]))
    assert {("song", name) for name in COPIES} == {
        (row["clip_id"], row["other_clip_id"]) for row in matches.to_pylist() if row["clip_id"] == "song"
    }
    (alone,) = tasks.post_batches(1, None, iter([clips.slice(0, 1)]))
    assert tasks.share_slice(2, pa.Table.from_batches([alone])).num_rows == 0
