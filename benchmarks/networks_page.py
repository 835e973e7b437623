"""Write the results of networks.json to docs/networks.md."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from page import replace_figures

_BEGIN = "<!-- figures: begin (written by benchmarks/networks.py) -->"

_KEYS = (
    ("rhythm_order_composed", "composed notes: GRU"),
    ("rhythm_order_composed_shuffled", "composed notes, shuffled: GRU"),
    ("rhythm_order_composed_cnn", "composed notes: 1-D CNN"),
    ("rhythm_order_composed_histogram", "composed notes: histogram"),
    ("rhythm_order_composed_over_shuffled", "composed notes: GRU minus GRU on shuffled notes"),
    ("rhythm_order_composed_over_histogram", "composed notes: GRU minus histogram"),
    ("rhythm_order", "detected notes: GRU"),
    ("rhythm_order_shuffled", "detected notes, shuffled: GRU"),
    ("rhythm_order_histogram", "detected notes: histogram"),
    ("rhythm_order_cnn", "detected notes: 1-D CNN"),
    ("rhythm_order_bars", "`groove_bars`, one row per bar: GRU"),
    ("rhythm_order_groove", "`groove` (hand-made; its tempogram contains some order)"),
    ("rhythm_order_over_shuffled", "detected notes: GRU minus GRU on shuffled notes"),
    ("rhythm_order_over_histogram", "detected notes: GRU minus histogram"),
    ("composer_best_network", "composed songs: best network"),
    ("composer_best_hand", "composed songs: best model on hand-made feature sets"),
    ("composer_worst_gap", "composed songs: worst network minus best model on hand-made feature sets"),
    ("composer_within_margin", "composed songs: networks at most 0.02 below that model"),
    ("midi5_stack", "midi5: stack with the pretrained network"),
    ("midi5_best_member", "midi5: best member of that stack"),
    ("midi5_stack_hand", "midi5: stack of hand-made sets"),
    ("midi5_best_member_hand", "midi5: best member of that stack"),
)  # fmt: skip
_TITLES = {
    "composer_5": "composed, 5", "composer_10": "10", "composer_20": "20", "composer_40": "40",
    "midi5": "midi5", "game_music": "game music",
}  # fmt: skip


def write_page(found: dict[str, Any], page: Path, parts: Sequence[str]) -> None:
    """Replace the text between the markers."""
    replace_figures(page, _BEGIN, ["", *_body(found, parts), ""])


def _body(found: dict[str, Any], parts: Sequence[str]) -> Iterator[str]:
    if "machine" in found:
        yield from (found["machine"], "")
    done = found.get("parts", {})
    missing = [name for name in parts if name not in done]
    if missing:
        yield f"Parts that have not been measured: {', '.join(f'`{name}`' for name in missing)}."
    rows = [_row(words, one) for key, words in _KEYS if (one := found.get(key)) and one["value"] is not None]
    if rows:
        yield from ("", "| figure | value | 95 % interval | target | n | |", "|---|---|---|---|---|---|", *rows)
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
    "Intervals are bootstrap intervals over artists. All songs of an artist have the same sounds; both genres use all "
    "sounds. Tempi and histograms of drum hits are equal in the composed notes, but not necessarily in detected ones."
)


def _row(words: str, one: dict[str, Any]) -> str:
    interval = f"{one['low']:.3f} to {one['high']:.3f}" if "low" in one else ""
    bar = ""
    if one["bar"] is not None:
        bar = f"{one['bar']:.3f}" + (" (met)" if one.get("met") else " (missed)")
    value = f"{one['value']}" if isinstance(one["value"], int) else f"{one['value']:.3f}"
    return f"| {words} | {value} | {interval} | {bar} | {one['n']} | {one['note']} |"


def _imbalance(part: dict[str, Any]) -> Iterator[str]:
    yield from ("", "### Imbalanced genres", "")
    yield (
        f"Composed songs of genres with {', '.join(str(size) for size in part['sizes'])} artists, "
        f"{part['songs_per_artist']} songs each ({part['learnt'][0]} in all). The {part['judged']} test songs are of "
        f"{part['groups']} other artists, the same number in every genre. Each fit was done twice, the second time "
        "with the numbers in reversed order of genres, so that every genre is once in the rare half. Values are means "
        "over both and over seeds, with 95 % bootstrap intervals over artists."
    )
    yield ""
    yield "| network | `imbalance` | macro-F1 | accuracy | recall of the rare half | recall of the common half | macro-F1 minus `none` | accuracy minus `none` | seeds |"  # noqa: E501
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
        how = f"{part['folds']} folds" if part["folds"] > 1 else "tested on other artists"
        kind = "artists" if name.startswith("composer") else "songs"
        yield f"- `{name}`: {part['songs']} test songs of {part['groups']} {kind}, {part['learnt']} training; {how}."
    yield ""
    yield (
        "For composed songs, a column is the number of training artists per genre, with five songs each. In brackets: "
        "95 % bootstrap interval over artists (or songs, if artists are not known); number of seeds."
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
    yield from ("", "### Cost of a fit, and scores by vote of the windows", "")
    yield "| network | part | parameters | processor time | epochs | memory | macro-F1 by mean | by vote | minus the best hand-made model |"  # noqa: E501
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
