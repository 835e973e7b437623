"""Write the results of embeddings and stacks to ``docs/embeddings.md``, between two markers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from page import replace_figures

_BEGIN = "<!-- figures: begin (written by benchmarks/embeddings.py) -->"
_WORDS = {
    "summary": "stack on `summary9` and `gtzan57`",
    "hand": "stack on all seven hand-made sets",
    "learnt": "stack on embedding and tags",
    "all": "stack on all nine sets",
}

_STACKS = {
    "stack": "**stack with the network**",
    "stack_hand": "**stack of hand-made sets**",
    "stack_learnt": "**stack of the network's sets**",
}


def write_page(found: dict[str, Any], page: Path) -> None:
    """Replace the text between the markers."""
    replace_figures(page, _BEGIN, ["", *_body(found), ""])


def _body(found: dict[str, Any]) -> Iterator[str]:
    yield found["machine"]
    if "embedding_clips_per_s" in found:
        clips = found["embedding_seconds"]["clips"]
        yield from ("", "| measurement | value | target |", "|---|---|---|")
        yield (
            f"| clips of 30 s per second and core, decoded and run through the network (median of {clips} clips of "
            f"real music) | {found['embedding_clips_per_s']:.2f} | at least 2.3 |"
        )
    if "tags_deviation" in found:
        yield (
            f"| largest difference of a tag probability from the reference in 64 bits ({found['patches']} patches) | "
            f"{found['tags_deviation']:.1e} | at most 1e-4 |"
        )
        yield f"| largest difference of an embedding value from that reference | {found['embedding_deviation']:.1e} | |"
    if "midi5" in found:
        yield from _midi5(found)
    if "predict_seconds" in found:
        yield from ("", "`genreatlas.predict` of a clip of 30 s, one thread:", "")
        yield from ("| model | first call | later calls | their processor time |", "|---|---|---|---|")
        for name, row in found["predict_seconds"].items():
            yield f"| {_WORDS[name]} | {row['first']:.2f} s | {row['warm']:.2f} s | {row['warm_cpu']:.2f} s |"


def _midi5(found: dict[str, Any]) -> Iterator[str]:
    about = found["midi5"]
    yield ""
    yield (
        f"midi5, {about['songs']} songs of {len(about['genres'])} genres: macro-F1 of songs, {about['folds']} folds, "
        f"mean of {about['repeats']} divisions of the songs. Weights of a stack are fitted inside the training folds."
    )
    yield from ("", "| stack | macro-F1 | its best member | macro-F1 | gain (95 % interval over songs) | p |")
    yield "|---|---|---|---|---|---|"
    for end, words in (("", "with the network"), ("_hand", "hand-made sets alone")):
        one = found[f"midi5_stack{end}_gain"]
        yield (
            f"| {words} | {found[f'midi5_stack{end}']:.3f} | {found[f'midi5_best_member{end}_name']} | "
            f"{found[f'midi5_best_member{end}']:.3f} | {one['gain']:+.3f} ({one['low']:+.3f} to {one['high']:+.3f}) | "
            f"{one['p']:.3f} |"
        )
    yield ""
    yield (
        "The network was trained to predict tags, most of them genres, on the Million Song Dataset; hand-made sets "
        "were not trained at all. These clips are rendered from MIDI, so the network was not trained on them, but "
        "perhaps on other recordings of the songs."
    )
    yield from ("", "| model | macro-F1 | sd of divisions | its weight with the network | without |")
    yield "|---|---|---|---|---|"
    weights = [about["weights"][name] for name in ("stack", "stack_hand")]
    for name, row in sorted(about["scores"].items(), key=lambda pair: -pair[1]["macro_f1"]):
        cells = [f"{each[name]['mean']:.2f} ± {each[name]['sd']:.2f}" if name in each else "" for each in weights]
        shown = _STACKS.get(name, name)
        yield f"| {shown} | {row['macro_f1']:.3f} | {row['sd_of_repeats']:.3f} | {' | '.join(cells)} |"
