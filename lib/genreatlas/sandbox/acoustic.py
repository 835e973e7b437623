"""Genres made by hand."""

from dataclasses import replace

from genreatlas.sandbox.style import COMMON, COMPOUND, TRIPLE, Genre, Groove, Harmony, Sound
from genreatlas.sandbox.voices import (
    ACCORDION,
    BRASS,
    CLARINET,
    DRIVEN,
    FLUTE,
    FUZZ,
    GUITAR,
    HARP,
    NYLON,
    ORGAN,
    PIANO,
    PICKED_BASS,
    SAW_BASS,
    SQUARE,
    STRINGS,
    UPRIGHT,
    VIBES,
)

TRIADS = (
    ((0, "maj"), (7, "maj"), (9, "min"), (5, "maj")),
    ((0, "maj"), (5, "maj"), (0, "maj"), (7, "maj")),
    ((0, "maj"), (9, "min"), (5, "maj"), (7, "maj")),
)

MINOR_TRIADS = (
    ((0, "min"), (10, "maj"), (8, "maj"), (7, "maj")),
    ((0, "min"), (8, "maj"), (3, "maj"), (10, "maj")),
)

SWING = Genre(
    "swing",
    (
        Groove(
            COMMON, (132, 196),
            {"ride": "x...x.x.x...x.x.", "pedal": "....x.......x...", "kick": "o...o...o...o...",
             "snare": "..............o."},
            bass="w...w...w...w...", comp="x.....x.........", swing=(1.5, 2.1), swung="eighth",
        ),
        Groove(
            COMMON, (112, 156),
            {"brush": "x.o.x.o.x.o.x.o.", "pedal": "....x.......x...", "kick": "x.......o......."},
            bass="w...w...w...w...", comp="......x.......x.", swing=(1.6, 2.2), swung="eighth",
        ),
        Groove(
            COMMON, (120, 176),
            {"ride": "x...x.x.x...x.x.", "pedal": "....x.......x...", "snare": "......o...o....."},
            bass="1.......5.......", comp="..x.....x.....x.", swing=(1.5, 2.0), swung="eighth", bars_per_chord=(1, 2),
        ),
    ),
    Harmony(
        {
            "major": (
                ((0, "maj7"), (9, "7"), (2, "min7"), (7, "7")),
                ((2, "min7"), (7, "7"), (0, "maj6"), (0, "maj6")),
                ((0, "7"), (5, "7"), (0, "7"), (7, "7")),
            ),
            "minor": (
                ((0, "min7"), (2, "hdim7"), (7, "7"), (0, "min7")),
                ((0, "min7"), (5, "min7"), (2, "hdim7"), (7, "7")),
            ),
        }
    ),
    Sound(
        {
            "bass": (UPRIGHT, replace(UPRIGHT, name="gut bass", brightness=0.3)),
            "comp": (PIANO, VIBES, NYLON, ORGAN),
            "lead": (CLARINET, BRASS, VIBES, FLUTE),
            "pad": (STRINGS,),
        },
        kits=("brushes", "acoustic"), levels={"drums": -5, "bass": -2, "comp": -7, "lead": -5, "pad": -40},
        tone=(-3, 2, -2), bandwidth=(5000, 9000),
        reverb=(0.5, 1.2), wet=(0.08, 0.2), loudness=(-22.0, -16.5),
    ),
    lead_density=(0.35, 0.6), live=(0.003, 0.009),
)  # fmt: skip

WALTZ = Genre(
    "waltz",
    (
        Groove(TRIPLE, (138, 186), bass="1...........5...........", comp="....x...x..."),
        Groove(
            TRIPLE, (126, 168), {"kick": "o...........", "brush": "....x...x..."},
            bass="1...........", comp="....x...x...", bars_per_chord=(1, 2),
        ),
        Groove(
            TRIPLE, (92, 132), {"ride": "o...o.o.o..."},
            bass="1.......5...", comp="a.a.a.a.a.a.", bars_per_chord=(1, 2),
        ),
    ),
    Harmony(
        {
            "major": (
                ((0, "maj"), (0, "maj"), (7, "7"), (0, "maj")),
                ((0, "maj"), (5, "maj"), (7, "7"), (0, "maj")),
                ((0, "maj"), (9, "min"), (2, "min"), (7, "7")),
            ),
            "minor": (((0, "min"), (5, "min"), (7, "7"), (0, "min")), ((0, "min"), (10, "maj"), (8, "maj"), (7, "7"))),
        }
    ),
    Sound(
        {
            "bass": (UPRIGHT, STRINGS, replace(ACCORDION, name="reed bass")),
            "comp": (ACCORDION, STRINGS, PIANO, HARP),
            "lead": (ACCORDION, STRINGS, CLARINET),
            "pad": (STRINGS,),
        },
        kits=("brushes",), levels={"drums": -9, "bass": -4, "comp": -7, "lead": -3, "pad": -18},
        tone=(3, -2, -7), bandwidth=(7000, 12000),
        reverb=(0.7, 2.0), wet=(0.12, 0.28), loudness=(-23.0, -17.0),
    ),
    lead_density=(0.3, 0.5), live=(0.004, 0.012),
)  # fmt: skip

FOLK = Genre(
    "folk",
    (
        Groove(COMMON, (92, 126), bass="1.......5.......", comp="a.a.a.a.a.a.a.a.", bars_per_chord=(1, 2)),
        Groove(
            COMMON, (96, 132), {"shaker": "x.o.x.o.x.o.x.o.", "kick": "o.......o......."},
            bass="1.......1.....5.", comp="x...x.xx..x.x.x.", bars_per_chord=(1, 2),
        ),
        Groove(COMPOUND, (54, 76), {"shaker": "xooxoo"}, bass="1.....5.....", comp="aaaaaa", bars_per_chord=(1, 2)),
    ),
    Harmony(
        {
            "major": TRIADS,
            "mixolydian": (((0, "maj"), (10, "maj"), (5, "maj"), (0, "maj")),),
            "minor": MINOR_TRIADS,
        }
    ),
    Sound(
        {
            "bass": (UPRIGHT, PICKED_BASS),
            "comp": (GUITAR, NYLON, HARP),
            "lead": (FLUTE, CLARINET, NYLON),
            "pad": (STRINGS,),
        },
        kits=("brushes", "acoustic"), levels={"drums": -10, "bass": -7, "comp": -2, "lead": -6, "pad": -20},
        tone=(-2, 1, 4), bandwidth=(14000, 19000),
        reverb=(0.4, 1.5), wet=(0.08, 0.22), loudness=(-23.5, -17.5),
    ),
    lead_density=(0.15, 0.4), live=(0.004, 0.01),
)  # fmt: skip

ROCK = Genre(
    "rock",
    (
        Groove(
            COMMON, (112, 148),
            {"kick": "X.....x.X.x.....", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
            bass="1.1.1.1.1.1.1.1.", comp="x.x.x.x.x.x.x.x.", bars_per_chord=(1, 2),
        ),
        Groove(
            COMMON, (96, 128),
            {"kick": "X..x..x...X.....", "snare": "....X..o....X..o", "ride": "x.x.x.x.x.x.x.x."},
            bass="1..1..1...1...5.", comp="x..x..x...x.x...", bars_per_chord=(1, 2),
        ),
        Groove(
            COMMON, (140, 172),
            {"kick": "X...x...X...x...", "snare": "..x...X...x...X.", "open": "x...x...x...x..."},
            bass="1.1.1.1.1.1.1.1.", comp="x...............x...x...x.......", bars_per_chord=(2,),
        ),
    ),
    Harmony(
        {
            "mixolydian": (
                ((0, "5"), (10, "5"), (5, "5"), (0, "5")),
                ((0, "maj"), (10, "maj"), (5, "maj"), (5, "maj")),
            ),
            "minor": (((0, "5"), (8, "5"), (3, "5"), (10, "5")), *MINOR_TRIADS),
            "major": TRIADS,
        }
    ),
    Sound(
        {
            "bass": (PICKED_BASS, SAW_BASS),
            "comp": (DRIVEN, FUZZ, GUITAR, ORGAN),
            "lead": (FUZZ, DRIVEN, SQUARE),
            "pad": (ORGAN, STRINGS),
        },
        kits=("acoustic",), levels={"drums": 0, "bass": -4, "comp": -4, "lead": -9, "pad": -20},
        tone=(1, 4, -2), bandwidth=(8000, 13000),
        reverb=(0.4, 1.2), wet=(0.04, 0.15), loudness=(-17.0, -12.5), crush=(1.3, 2.4),
    ),
    lead_density=(0.1, 0.35), live=(0.002, 0.007),
)  # fmt: skip
