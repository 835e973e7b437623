"""Genres made with machines."""

from genreatlas.sandbox.style import COMMON, Genre, Groove, Harmony, Sound
from genreatlas.sandbox.voices import (
    ACID_BASS,
    BELLS,
    BRASS,
    E_PIANO,
    FLUTE,
    FM_BASS,
    GLASS,
    HARP,
    NYLON,
    ORGAN,
    PAD,
    PIANO,
    SAW_BASS,
    SINE_BASS,
    SQUARE,
    STABS,
    STRINGS,
    UPRIGHT,
    VIBES,
)

MINOR_LOOPS = (
    ((0, "min7"), (8, "maj7"), (3, "maj7"), (10, "maj")),
    ((0, "min7"), (5, "min7"), (8, "maj7"), (7, "min7")),
    ((0, "min7"), (3, "maj7"), (5, "min7"), (10, "7")),
)

HOUSE = Genre(
    "house",
    (
        Groove(
            COMMON, (119, 127),
            {"kick": "X...X...X...X...", "clap": "....x.......x...", "hat": "o.o.o.o.o.o.o.o.",
             "open": "..x...x...x...x."},
            bass="..1...1...1...1.", comp="x..x..x...x..x..", swing=(1.0, 1.2),
        ),
        Groove(
            COMMON, (121, 128),
            {"kick": "X...X...X...X...", "snare": "....x.......x..o", "open": "..x...x...x...x.",
             "shaker": "xoxoxoxoxoxoxoxo"},
            bass="1..1..1...8.1.5.", comp="..x...x...x...x.", swing=(1.0, 1.2), bars_per_chord=(1, 2),
        ),
        Groove(
            COMMON, (117, 124),
            {"kick": "X...X...X...X...", "clap": "....X.......X...", "hat": "..x.o.x...x.o.xo",
             "rim": "...x......x....."},
            bass="1.....1.1..5..8.", comp="x...............x.....x.........", swing=(1.05, 1.3), bars_per_chord=(2,),
        ),
    ),
    Harmony(
        {
            "minor": MINOR_LOOPS,
            "dorian": (((0, "min9"), (5, "7")), ((0, "min7"), (0, "min7"), (5, "7"), (5, "7"))),
        }
    ),
    Sound(
        {
            "bass": (SINE_BASS, SAW_BASS, FM_BASS),
            "comp": (E_PIANO, STABS, ORGAN, PIANO),
            "lead": (SQUARE, BELLS, E_PIANO, FLUTE),
            "pad": (PAD, STRINGS),
        },
        kits=("electronic",), levels={"drums": 0, "bass": -3, "comp": -4, "lead": -9, "pad": -13},
        tone=(2, 1, 0), bandwidth=(12000, 19000),
        reverb=(0.6, 1.6), wet=(0.06, 0.18), loudness=(-16.5, -12.5), crush=(1.2, 2.2), pump=(0.3, 0.65),
    ),
    lead_density=(0.1, 0.3),
)  # fmt: skip

TECHNO = Genre(
    "techno",
    (
        Groove(
            COMMON, (126, 134),
            {"kick": "X...X...X...X...", "hat": "..x...x...x...x.", "rim": "...x..x....x..x.",
             "shaker": "oxoxoxoxoxoxoxox"},
            bass="1.11.11.1.11.118", comp="x.......x..x....", bars_per_chord=(4,),
        ),
        Groove(
            COMMON, (130, 138),
            {"kick": "X...X...X...X.o.", "hat": "xoXoxoXoxoXoxoXo", "clap": "....x.......x..."},
            bass="..11..11..11..1.", comp="..x..x..x..x..x.", bars_per_chord=(4, 8),
        ),
        Groove(
            COMMON, (122, 130),
            {"kick": "X...X...X...X...", "open": "..x...x...x...x.", "tom": "......x..x....x.",
             "hat": "o.o.o.o.o.o.o.o."},
            bass="1...1..1..1...5.", comp="x..............._...............", bars_per_chord=(2, 4),
        ),
    ),
    Harmony(
        {
            "minor": (((0, "min"),), ((0, "min7"), (10, "maj")), ((0, "min"), (8, "maj7"))),
            "dorian": (((0, "min7"),),),
        }
    ),
    Sound(
        {
            "bass": (ACID_BASS, SAW_BASS, SINE_BASS, FM_BASS),
            "comp": (STABS, BELLS, E_PIANO),
            "lead": (SQUARE, ACID_BASS, BELLS),
            "pad": (PAD, GLASS),
        },
        kits=("electronic",), levels={"drums": 1, "bass": -4, "comp": -8, "lead": -12, "pad": -14},
        tone=(0, -3, 4), bandwidth=(14000, 19000),
        reverb=(0.6, 2.2), wet=(0.06, 0.2), loudness=(-15.5, -12.0), crush=(1.4, 2.6), pump=(0.15, 0.5),
        texture=(-60.0, -40.0),
    ),
    lead_density=(0.05, 0.3),
)  # fmt: skip

HIP_HOP = Genre(
    "hip hop",
    (
        Groove(
            COMMON, (82, 96),
            {"kick": "X.....x.x.......", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.xo"},
            bass="1.....1.1.....5.", comp="x.........x.....", swing=(1.2, 1.6), bars_per_chord=(1, 2),
        ),
        Groove(
            COMMON, (86, 100),
            {"kick": "X..x......xx....", "snare": "....X.......X..o", "hat": "xoxoxoxoxoxoxoxo",
             "open": "..............x."},
            bass="1..1......1.8...", comp="..x...x...x...x.", swing=(1.1, 1.5), bars_per_chord=(1, 2),
        ),
        Groove(
            COMMON, (76, 90),
            {"kick": "X.......x..x....", "clap": "....X.......X...", "hat": "x...x.x.x...x.x.",
             "rim": "......o........o"},
            bass="1...............1.....5.8.......", comp="a.a.a.a.a.a.a.a.", swing=(1.2, 1.7), bars_per_chord=(2,),
        ),
    ),
    Harmony({"minor": MINOR_LOOPS, "dorian": (((0, "min9"), (5, "7"), (0, "min9"), (10, "maj7")),)}),
    Sound(
        {
            "bass": (SINE_BASS, FM_BASS, UPRIGHT),
            "comp": (E_PIANO, PIANO, VIBES, NYLON),
            "lead": (FLUTE, BRASS, BELLS, SQUARE),
            "pad": (STRINGS, PAD),
        },
        kits=("electronic", "acoustic"), levels={"drums": 1, "bass": -1, "comp": -7, "lead": -11, "pad": -16},
        tone=(4, 0, -5), bandwidth=(6000, 11000),
        reverb=(0.3, 0.9), wet=(0.04, 0.12), loudness=(-17.0, -13.0), crush=(1.2, 2.4), hiss=(-66.0, -48.0),
    ),
    lead_density=(0.1, 0.3), live=(0.0, 0.004),
)  # fmt: skip

AMBIENT = Genre(
    "ambient",
    (
        Groove(
            COMMON, (50, 68),
            bass="1...............................", comp="x..............._...............", bars_per_chord=(2,),
        ),
        Groove(COMMON, (56, 74), bass="1...............", comp="a...a...a.....a.", bars_per_chord=(1, 2)),
        Groove(
            COMMON, (64, 84), {"kick": "o...............", "shaker": "....o.......o..."},
            bass="1...............5...............", comp="x.......x.......", bars_per_chord=(2,),
        ),
    ),
    Harmony(
        {
            "major": (((0, "maj9"), (5, "maj7")), ((0, "maj7"), (9, "min9"), (5, "maj9"), (0, "sus2"))),
            "minor": (((0, "min9"), (8, "maj7")), ((0, "min7"), (10, "sus4"), (8, "maj9"), (0, "sus2"))),
            "dorian": (((0, "min9"), (5, "sus2")),),
        }
    ),
    Sound(
        {
            "bass": (SINE_BASS, PAD, STRINGS),
            "comp": (GLASS, PAD, E_PIANO, BELLS, HARP),
            "lead": (BELLS, FLUTE, VIBES, GLASS),
            "pad": (PAD, GLASS, STRINGS),
        },
        kits=("electronic", "brushes"), levels={"drums": -12, "bass": -6, "comp": -5, "lead": -9, "pad": -5},
        tone=(0, 0, -2), bandwidth=(8000, 14000),
        reverb=(2.0, 4.0), wet=(0.3, 0.55), loudness=(-27.0, -19.0), texture=(-52.0, -36.0),
    ),
    lead_density=(0.06, 0.18), live=(0.0, 0.015),
)  # fmt: skip
