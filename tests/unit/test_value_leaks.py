"""Which columns give the answer away, by their values: copies go, strong features stay."""

import numpy as np
import pytest

from genreatlas.datasets.giveaways import find_giveaways, giveaway_lines


def verdicts(y, folds=5, artist=None, album=None, song=None, seed=0, **columns):
    """What is said of each column: "left out", "named", or None."""
    random = np.random.default_rng(seed)
    n = len(y)
    song = np.arange(n) if song is None else song
    artist = np.arange(n) if artist is None else artist
    fold = random.permutation(artist.max() + 1)[artist] % folds
    x = np.stack([np.broadcast_to(values, n) for values in columns.values()], axis=1).astype("f4")
    tied = {"artist": artist} | ({} if album is None else {"album": album})
    found = {one.feature: one for one in find_giveaways(x, np.asarray(y), fold, song, tied, tuple(columns))}
    return {name: found[name].verdict if name in found else None for name in columns}


def all_are(verdict, found):
    assert found == dict.fromkeys(found, verdict)


@pytest.mark.parametrize(("n", "n_genres"), [(60, 3), (200, 2), (200, 10), (640, 10), (3000, 30)])
def test_copies_of_the_label_are_left_out_in_every_coding(n, n_genres):
    random = np.random.default_rng(1)
    y = np.arange(n) % n_genres
    random.shuffle(y)
    code = random.permutation(n_genres)
    noisy = np.where(random.random(n) < 0.01, random.integers(0, n_genres, n), y)
    noise = random.normal(size=n)
    mean = random.normal(size=n_genres)[y]
    all_are("left out", verdicts(
        y, code=y, permuted=code[y], large=1000 * code[y] + 7, noisy=noisy, noisy_permuted=code[noisy],
        with_noise=y + 1e-3 * noise, with_three_percent=y + 1 + 0.03 * noise,
        with_more_noise=code[y] + 0.01 * noise, target_mean=mean,
        leave_one_out=(2.0 * np.bincount(y)[y] - (y == 1)) / n, missing=np.where(y == 0, np.nan, noise),
        code_and_missing=np.where(y == 1, np.nan, y),
    ))  # fmt: skip


@pytest.mark.parametrize("n_genres", [3, 8])
def test_each_column_of_a_one_hot_or_binary_coding_is_left_out(n_genres):
    random = np.random.default_rng(2)
    y = random.integers(0, n_genres, 400)
    hot = {f"is_{genre}": y == genre for genre in range(n_genres)}
    noisy = {f"noisy_{genre}": (y == genre) ^ (random.random(400) < 0.01) for genre in range(n_genres)}
    soft = {f"soft_{genre}": (y == genre) + 0.02 * random.normal(size=400) for genre in range(n_genres)}
    bits = {f"bit_{bit}": y >> bit & 1 for bit in range(int(n_genres - 1).bit_length())}
    all_are("left out", verdicts(y, **hot, **noisy, **soft, **bits, half=y % 2))


@pytest.mark.parametrize("n_genres", [2, 3, 10])
def test_row_numbers_of_a_sorted_table_are_left_out(n_genres):
    random = np.random.default_rng(3)
    n = 600
    y = np.sort(random.integers(0, n_genres, n))
    kept = np.sort(random.choice(3 * n, n, replace=False))  # the training part of a larger table
    all_are("left out", verdicts(y, row=np.arange(n), of_more=kept, share=np.arange(n) / n, backwards=-kept,
                                 file_number=1_000_000 + 10 * np.arange(n)))  # fmt: skip


def test_numbers_of_rows_songs_artists_and_albums_are_left_out_in_any_order():
    random = np.random.default_rng(4)
    n = 600
    y = random.integers(0, 4, n)
    artist, album, song = np.arange(n) // 6, np.arange(n) // 3, np.arange(n) // 2
    noise = random.normal(size=n)
    found = verdicts(
        y, artist=artist, album=album, song=song, artist_id=random.permutation(100)[artist],
        followers=random.lognormal(10, 1, 100)[artist], album_id=random.permutation(200)[album] * 17,
        song_id=random.permutation(300)[song], noise=noise,
    )  # fmt: skip
    assert found.pop("noise") is None
    all_are("left out", found)
    all_are("left out", verdicts(y, shuffled_row=random.permutation(n)))


def test_numbers_that_say_nothing_and_features_that_say_something_stay_unmentioned():
    random = np.random.default_rng(5)
    y = random.integers(0, 10, 1000)
    noise = random.normal(size=1000)
    all_are(None, verdicts(
        y, artist=np.arange(1000) // 3, noise=noise, constant=1.0, empty=np.nan, key=random.integers(0, 12, 1000),
        mode=random.random(1000) < 0.6, often_missing=np.where(random.random(1000) < 0.5, np.nan, noise),
        mostly_zero=np.where(random.random(1000) < 0.97, 0, noise), good=y + 2 * noise,
        tempo=np.where(y == 3, random.normal(174, 2, 1000), random.normal(118, 15, 1000)),
        rounded=np.round(y + 2 * noise), percent=random.integers(0, 100, 1000),
    ))  # fmt: skip


def test_one_very_good_feature_of_two_or_three_genres_stays_and_is_named():
    random = np.random.default_rng(6)
    y = random.integers(0, 2, 400)
    all_are("named", verdicts(
        y, tempo=np.where(y == 1, random.normal(174, 2, 400), random.normal(122, 8, 400)),
        exact_tempo=np.where(y == 1, random.normal(174, 1, 400), random.normal(125, 1, 400)),
        grid_tempo=random.choice([[117.5, 123.0, 129.2], [172.3, 175.1, 178.2]], 400, axis=1)[y, np.arange(400)],
        brightness=y + 0.2 * random.normal(size=400),
    ))  # fmt: skip
    y = random.integers(0, 3, 400)
    all_are("named", verdicts(y, tempo=np.array([90, 125, 174])[y] + random.normal(0, 2, 400)))


def test_several_labels_a_song_are_each_asked():
    random = np.random.default_rng(7)
    y = random.random((500, 4)) < 0.3
    noise = random.normal(size=500)
    found = verdicts(y, copy=y[:, 2], inverse=1 - y[:, 1], soft=y[:, 0] + 0.01 * noise, noise=noise)
    assert found.pop("noise") is None
    all_are("left out", found)


def test_too_few_rows_prove_nothing_and_no_rows_are_no_error():
    y = np.array([0, 1] * 4)
    all_are(None, verdicts(y, copy=y))
    assert find_giveaways(np.zeros((0, 2), "f4"), np.zeros(0, int), np.zeros(0, int), np.zeros(0, int), {}, "ab") == []


def test_lines_say_what_can_be_done():
    random = np.random.default_rng(8)
    y = random.integers(0, 2, 200)
    x = np.stack([y, y + 0.2 * random.normal(size=200)], axis=1).astype("f4")
    found = find_giveaways(x, y, np.arange(200) % 5, np.arange(200), {}, ("class_label", "brightness"))
    assert giveaway_lines("shop", found)[0] == (
        'shop, class_label: left out: its value follows from the genre (train.keep_features = ["class_label"] keeps it)'
    )
    assert "brightness: it alone separates 2 genres" in giveaway_lines("shop", found)[1]
    assert giveaway_lines("shop", found, most=0) == ("shop: 2 more such features, 1 of them left out",)
