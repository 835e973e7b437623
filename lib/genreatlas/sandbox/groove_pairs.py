"""Pairs of grooves that differ only in the order of drum hits.

Every beat (in the third pair, every eighth) has either a kick or a snare. In one groove of a pair they alternate, in
the other each is repeated several times. All statistics that ignore order are equal: tempo, metre, bass, comping and
cymbals; the number of hits of each drum at each step of the bar; the times of hits, and so the intervals between hits.
A pattern has two bars, and the second exchanges the drums, so that averages over bars, as in the feature set
``groove``, are equal too.

The two genres use chords, voices and mixes of the composer's other genres in turn, by
:func:`genreatlas.sandbox.composed_genres.blend`.
"""

from dataclasses import replace

from genreatlas.sandbox.composed_genres import ROCK
from genreatlas.sandbox.style import COMMON, TRIPLE, Genre, Groove, Metre, Span

#: Genre with alternating drums, and genre with repeated drums.
TURNS, RUNS = "in turns", "in runs"


def _pair(
    metre: Metre, tempo: Span, turns: str, runs: str, hits: int, hat: str, bass: str, comp: str
) -> tuple[Groove, Groove]:
    """Return two grooves with a hit of ``k`` (kick) or ``s`` (snare) every ``hits`` grid steps."""

    def groove(order: str) -> Groove:
        drums = {
            piece: "".join(("x" if hit == sign else ".") + "." * (hits - 1) for hit in order)
            for piece, sign in (("kick", "k"), ("snare", "s"))
        }
        return Groove(metre, tempo, {**drums, "hat": hat}, bass=bass, comp=comp, bars_per_chord=(2,))

    return groove(turns), groove(runs)


#: Pairs of grooves: (in turns, in runs).
PAIRS = (
    _pair(COMMON, (96, 124), "kskssksk", "kksssskk", 4, "x.x.x.x.x.x.x.x.", "1...............", "..x...x...x...x."),
    _pair(TRIPLE, (116, 152), "ksksks", "kksssk", 4, "x.x.x.x.x.x.", "1...........", "....x...x..."),
    _pair(
        COMMON, (80, 104), "ksksksks" "sksksksk", "kksskkss" "sskksskk", 2, "xoxoxoxoxoxoxoxo",
        "1.......5.......", "x...............",
    ),
)  # fmt: skip

#: Genres that are composed only if the configuration names them.
PAIRED: dict[str, Genre] = {
    name: replace(ROCK, name=name, grooves=tuple(pair[place] for pair in PAIRS), live=(0.0, 0.006))
    for place, name in enumerate((TURNS, RUNS))
}
