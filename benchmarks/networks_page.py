"""Write the results of networks.json to docs/networks.md."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_BEGIN, _END = "<!-- figures: begin (written by benchmarks/networks.py) -->", "<!-- figures: end -->"

_KEYS = (
    ("rhythm_order_composed", "GRU on notes as composed, pairs of grooves"),
    ("rhythm_order_composed_shuffled", "the same on shuffled notes"),
    ("rhythm_order_composed_cnn", "1-D CNN on notes as composed"),
    ("rhythm_order_composed_histogram", "a histogram of the notes as composed"),
    ("rhythm_order_composed_over_shuffled", "GRU less itself on shuffled notes"),
    ("rhythm_order_composed_over_histogram", "GRU less the histogram"),
    ("rhythm_order", "GRU on notes found in sound, pairs of grooves"),
    ("rhythm_order_shuffled", "the same on shuffled notes"),
    ("rhythm_order_histogram", "a histogram of the notes"),
    ("rhythm_order_cnn", "1-D CNN on notes"),
    ("rhythm_order_bars", "GRU on `groove_bars`, a row a bar"),
    ("rhythm_order_groove", "the hand-made set `groove`, whose tempogram knows some order"),
    ("rhythm_order_over_shuffled", "GRU less itself on shuffled notes"),
    ("rhythm_order_over_histogram", "GRU less the histogram"),
    ("composer_best_network", "composed songs: best network"),
    ("composer_best_hand", "composed songs: best hand-made model"),
    ("composer_worst_gap", "composed songs: worst network less best hand-made model"),
    ("midi5_stack", "midi5: stack with the pretrained network"),
    ("midi5_best_member", "midi5: its best member"),
    ("midi5_stack_hand", "midi5: stack of hand-made sets"),
    ("midi5_best_member_hand", "midi5: its best member"),
)  # fmt: skip
_TITLES = {
    "composer_5": "composed, 5", "composer_10": "10", "composer_20": "20", "composer_40": "40",
    "midi5": "midi5", "game_music": "game music",
}  # fmt: skip


def write_page(found: dict[str, Any], page: Path, parts: Sequence[str]) -> None:
    """Replace the text between the markers."""
    before, rest = page.read_text(encoding="utf-8").split(_BEGIN)
    after = rest.split(_END)[1]
    page.write_text("\n".join((before + _BEGIN, "", *_body(found, parts), "", _END + after)), encoding="utf-8")


def _body(found: dict[str, Any], parts: Sequence[str]) -> Iterator[str]:
    yield found.get("machine", "")
    done = found.get("parts", {})
    missing = [name for name in parts if name not in done]
    yield ""
    yield f"Not run: {', '.join(f'`{name}`' for name in missing)}." if missing else "Every part was run."
    yield from ("", "| figure | value | 95 % interval | bar | n | |", "|---|---|---|---|---|---|")
    for key, words in _KEYS:
        yield _row(words, found.get(key))
    if about := next((done[name]["about"] for name in ("rhythm_order", "rhythm_order_composed") if name in done), ""):
        yield from ("", f"Pairs of grooves: {about}. {_PAIRS}")
    if "imbalance" in done:
        yield from _imbalance(done["imbalance"])
    judged = {name: done[name] for name in _TITLES if done.get(name, {}).get("models")}
    if judged:
        yield from _curves(judged)
        yield from _costs(judged)
        for name, part in judged.items():
            yield from _genres(name, part)


_PAIRS = (
    "Intervals draw artists anew. Songs of an artist have one sound, all sounds are under both genres, and tempi and "
    "every histogram of drum hits are equal as composed; what the beat tracker makes of them need not be."
)


def _row(words: str, one: dict[str, Any] | None) -> str:
    if one is None or one["value"] is None:
        return f"| {words} | not run | | | | |"
    interval = f"{one['low']:.3f} to {one['high']:.3f}" if "low" in one else ""
    bar = ""
    if one["bar"] is not None:
        bar = f"{one['bar']:.3f}" + (" (met)" if one.get("met") else " (missed)")
    return f"| {words} | {one['value']:.3f} | {interval} | {bar} | {one['n']} | {one['note']} |"


def _imbalance(part: dict[str, Any]) -> Iterator[str]:
    yield from ("", "### Genres of uneven size", "")
    yield (
        f"Composed songs of genres with {', '.join(str(size) for size in part['sizes'])} artists, "
        f"{part['songs_per_artist']} songs each ({part['learnt'][0]} in all); the {part['judged']} songs that are "
        f"judged are of {part['groups']} other artists, the same number of every genre. Each fit was done twice, the "
        "second time with the numbers in reversed order of genres, so that every genre is once among the rare half. "
        "Values are means over both and over seeds; 95 % intervals draw artists anew."
    )
    yield ""
    yield "| network | `imbalance` | macro-F1 | accuracy | recall of the rare half | recall of the common half | macro-F1 less `none` | accuracy less `none` | seeds |"  # noqa: E501
    yield "|---" * 9 + "|"
    for row in part["rows"]:
        cells = [_with_interval(row[key]) for key in ("macro_f1", "accuracy", "rare", "common")]
        over = row.get("over_none", {})
        cells += [_with_interval(over[key], "+.3f") if key in over else "" for key in ("macro_f1", "accuracy")]
        yield f"| {row['network']} | `{row['treatment']}` | {' | '.join(cells)} | {row['seeds']} |"


def _with_interval(one: dict[str, float], form: str = ".3f") -> str:
    return f"{one['value']:{form}} ({one['low']:{form}} to {one['high']:{form}})"


def _names(judged: dict[str, Any]) -> list[str]:
    names = list(dict.fromkeys(model for part in judged.values() for model in part["models"]))
    last = list(judged.values())[-1]["models"]
    kinds = ["network", "stack", "hand"]

    def place(model: str) -> tuple[int, float]:
        one = next(part["models"][model] for part in judged.values() if model in part["models"])
        return kinds.index(one["kind"]), -last.get(model, one)["macro_f1"]["value"]

    return sorted(names, key=place)


def _curves(judged: dict[str, Any]) -> Iterator[str]:
    yield from ("", "### Macro-F1 of songs", "")
    for name, part in judged.items():
        how = f"{part['folds']} folds" if part["folds"] > 1 else "other artists are judged"
        kind = "artists" if name.startswith("composer") else "songs"
        yield (
            f"- `{name}`: {part['songs']} songs of {part['groups']} {kind} judged, {part['learnt']} learnt from; {how}."
        )
    yield ""
    yield (
        "Composed songs: columns are artists a genre that were learnt from, five songs each. In brackets: 95 % "
        "interval, artists (or songs, where artists are not known) drawn anew; seeds."
    )
    yield from ("", f"| model | {' | '.join(_TITLES[name] for name in judged)} |", "|---" * (len(judged) + 1) + "|")
    for model in _names(judged):
        cells = []
        for part in judged.values():
            one = part["models"].get(model)
            cells.append("not run" if one is None else _cell(one))
        yield f"| {model} | {' | '.join(cells)} |"


def _cell(one: dict[str, Any]) -> str:
    value = one["macro_f1"]
    seeds = f"; {one['seeds']}" if one["kind"] == "network" else ""
    return f"{value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f}{seeds})"


def _costs(judged: dict[str, Any]) -> Iterator[str]:
    yield from ("", "### Cost of a fit, and what a song's windows say by vote", "")
    yield "| network | part | parameters | processor time | epochs | memory | macro-F1 by mean | by vote | less the best hand-made model |"  # noqa: E501
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, part in judged.items():
        for model, one in part["models"].items():
            if one["kind"] != "network":
                continue
            over = one.get("over_hand")
            gap = f"{over['value']:+.3f} ({over['low']:+.3f} to {over['high']:+.3f})" if over else ""
            yield (
                f"| {model} | `{name}` | {one['parameters']:,} | {one['seconds']:.0f} s | {one['epochs']:.0f} | "
                f"{one['memory_mb']:.0f} MB | {one['macro_f1']['value']:.3f} | {one['by_vote']:.3f} | {gap} |"
            )


def _genres(name: str, part: dict[str, Any]) -> Iterator[str]:
    yield from ("", f"### F1 of each genre: `{name}`", "")
    yield f"| model | {' | '.join(part['genres'])} |"
    yield "|---" * (len(part["genres"]) + 1) + "|"
    for model in _names({name: part}):
        one = part["models"][model]
        cells = [f"{one['f1'][genre]:.2f}" for genre in part["genres"]]
        yield f"| {model} | {' | '.join(cells)} |"
