"""Pairs of grooves that are told apart by the order of drum hits and by nothing else.

Kick and snare share the beats (in the third pair, the eighths): one plays where the other does not. In one groove of a
pair they take turns, in the other each plays several times in a row. Everything that does not know order is equal in
both: tempo, metre, bass, comping and cymbals; how often each drum is hit, at each step of the bar; the times at which
anything is hit, and so the time between hits and which drum ends it. Two bars make a pattern, and the second has the
drums exchanged, so that bars laid over each other, as the feature set ``groove`` does, are equal, too.

The two genres borrow chords, voices and mixes from the composer's other genres in turn, by
:func:`genreatlas.sandbox.composed_genres.blend`.
"""

from dataclasses import replace

from genreatlas.sandbox.composed_genres import ROCK
from genreatlas.sandbox.style import COMMON, TRIPLE, Genre, Groove, Metre, Span

#: The one whose drums take turns, and the one whose drums play in runs.
TURNS, RUNS = "in turns", "in runs"


def _pair(
    metre: Metre, tempo: Span, turns: str, runs: str, hits: int, hat: str, bass: str, comp: str
) -> tuple[Groove, Groove]:
    """Two grooves with one hit of ``k`` (kick) or ``s`` (snare) every ``hits`` steps of the grid."""

    def groove(order: str) -> Groove:
        drums = {
            piece: "".join(("x" if hit == sign else ".") + "." * (hits - 1) for hit in order)
            for piece, sign in (("kick", "k"), ("snare", "s"))
        }
        return Groove(metre, tempo, {**drums, "hat": hat}, bass=bass, comp=comp, bars_per_chord=(2,))

    return groove(turns), groove(runs)


#: Each pair: in turns, in runs.
PAIRS = (
    _pair(COMMON, (96, 124), "kskssksk", "kksssskk", 4, "x.x.x.x.x.x.x.x.", "1...............", "..x...x...x...x."),
    _pair(TRIPLE, (116, 152), "ksksks", "kksssk", 4, "x.x.x.x.x.x.", "1...........", "....x...x..."),
    _pair(
        COMMON, (80, 104), "ksksksks" "sksksksk", "kksskkss" "sskksskk", 2, "xoxoxoxoxoxoxoxo",
        "1.......5.......", "x...............",
    ),
)  # fmt: skip

#: Genres that are composed where they are named.
PAIRED: dict[str, Genre] = {
    name: replace(ROCK, name=name, grooves=tuple(pair[place] for pair in PAIRS), live=(0.0, 0.006))
    for place, name in enumerate((TURNS, RUNS))
}
