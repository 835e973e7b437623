"""Results of the detection of copies: descriptions, required values (bars), file, and table of the page."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from page import machine_line, replace_figures

FILE = Path(__file__).with_name("recordings.json")
PAGE = Path(__file__).parents[1] / "docs" / "recordings.md"
_BEGIN = "<!-- figures: begin (written by make recordings) -->"
#: (required value, unit, description) by key, in the order of the table; a negative value -x is a required maximum of
#: x; None: no requirement.
FIGURES: dict[str, tuple[float | None, str, str]] = {
    "copies_found": (0.98, "", "share of planted copies of the same speed that are linked to their original"),
    "copies_speed_found": (0.95, "", "the same for copies that are 1 % faster or slower"),
    "songs": (None, "", "original songs: game music, rendered MIDI, composed"),
    "false_links": (-0.0, "", "links between different songs that sound alike"),
    "alike_songs": (None, "", "number of songs that sound alike"),
    "link_minutes": (-10.0, "min", "`link_recordings`: 450,000 synthetic fingerprints, first run"),
    "link_gb": (-4.0, "GB", "peak memory of that run, all processes together"),
    "link_found": (None, "", "share of the planted copies of that run that are found"),
    "link_false": (None, "", "pairs of that run that matched and were not planted"),
    "link_rerun_minutes": (None, "min", "the step again without new songs"),
    "link_100_more_minutes": (None, "min", "the step with 100 more songs"),
    "found_cut_start_5s": (None, "", "share found: first 5 s cut"),
    "found_cut_end_5s": (None, "", "share found: last 5 s cut"),
    "found_fades_4s": (None, "", "share found: faded in and out over 4 s"),
    "found_silence_3s": (None, "", "share found: 3 s of silence before the music"),
    "found_louder_9db": (None, "", "share found: 9 dB louder, which clips"),
    "found_quieter_9db": (None, "", "share found: 9 dB quieter"),
    "found_faster_1": (None, "", "share found: 1 % faster"),
    "found_slower_1": (None, "", "share found: 1 % slower"),
    "found_resampled_22k": (None, "", "share found: resampled to 22.05 kHz"),
    "found_mp3_64": (None, "", "share found: MP3 at 64 kbit/s"),
    "found_mp3_128": (None, "", "share found: MP3 at 128 kbit/s"),
    "found_mp3_320": (None, "", "share found: MP3 at 320 kbit/s"),
    "found_ogg": (None, "", "share found: Ogg Vorbis"),
    "found_opus": (None, "", "share found: Opus"),
}


def kept() -> dict[str, dict[str, Any]]:
    """Results measured so far."""
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def keep(found: Mapping[str, float], how: str) -> None:
    """Add or replace measured results; ``how`` describes the sizes of the run."""
    figures = kept()
    for key, value in found.items():
        bar, unit, what = FIGURES.get(key, (None, "", key.replace("_", " ")))
        most = bar is not None and str(bar).startswith("-")
        met = None if bar is None else bool(value <= -bar if most else value >= bar)
        figures[key] = {
            "value": round(float(value), 4), "bar": None if bar is None else abs(bar),
            "how": how, "sense": None if bar is None else "at most" if most else "at least", "met": met, "unit": unit,
            "note": f"{what}; {how}; {machine_line()}",
        }  # fmt: skip
    FILE.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def write_page() -> None:
    """Write the table between the markers of the page."""
    figures = kept()
    sizes = list(dict.fromkeys(one["how"] for one in figures.values()))
    alone = len(sizes) == 1
    lines = [*(["", f"Measured with `{sizes[0]}`.", ""] if alone else [])]
    lines += ["| key | what | target | measured |", "|---|---|---|---|"]
    if not alone:
        lines = [line + tail for line, tail in zip(lines, (" measured with |", "---|"), strict=True)]
    for key, (_, _, what) in FIGURES.items():
        if key in figures:
            one = figures[key]
            bar = "" if one["bar"] is None else f"{one['sense']} {one['bar']:g}"
            missed = " (missed)" if one["met"] is False else ""
            lines.append(
                f"| `{key}` | {what} | {bar} | {one['value']:.4g} {one['unit']}".rstrip()
                + f"{missed} |"
                + ("" if alone else f" `{one['how']}` |")
            )
    replace_figures(PAGE, _BEGIN, lines)
