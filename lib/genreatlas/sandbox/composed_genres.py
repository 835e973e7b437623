"""The composer's genres and their shared voices. Genres differ in rhythm, tempo, timbre, harmony and dynamics.

Adjacent genres share voices, so that no genre can be identified by its sound alone. The order matters: a song under two
genres belongs to adjacent ones.
"""

from dataclasses import replace

from genreatlas.sandbox.style import COMMON, COMPOUND, TRIPLE, Genre, Groove, Harmony, Sound, Voice

SINE_BASS = Voice("sine bass", "wave", "sine", attack=0.006, decay=1.2, sustain=0.8, release=0.06)
SAW_BASS = Voice("saw bass", "wave", "saw", brightness=0.35, decay=0.35, sustain=0.4, detune=6.0)
ACID_BASS = Voice("acid bass", "wave", "saw", brightness=0.6, decay=0.16, sustain=0.2, drive=2.0)
FM_BASS = Voice("fm bass", "fm", ratio=1.0, index=1.8, decay=0.4, sustain=0.5)
UPRIGHT = Voice("upright bass", "pluck", brightness=0.22, decay=0.9, sustain=0.0, release=0.12)
PICKED_BASS = Voice("picked bass", "pluck", brightness=0.5, decay=1.4, sustain=0.0, release=0.06)

E_PIANO = Voice("electric piano", "fm", ratio=1.0, index=1.4, decay=1.1, sustain=0.15, release=0.15)
BELLS = Voice("bells", "fm", ratio=3.5, index=2.2, decay=1.4, sustain=0.0, release=0.5, octave=1)
VIBES = Voice("vibes", "fm", ratio=4.0, index=0.7, decay=1.3, sustain=0.0, release=0.3, vibrato=0.12)
PIANO = Voice("piano", "wave", "string", brightness=0.5, attack=0.003, decay=0.8, sustain=0.08, release=0.2)
ORGAN = Voice("organ", "wave", "organ", brightness=0.6, attack=0.012, sustain=1.0, release=0.06, detune=4.0)
STABS = Voice("saw stabs", "wave", "saw", brightness=0.6, decay=0.2, sustain=0.25, detune=14.0, release=0.12)
SQUARE = Voice("square lead", "wave", "square", brightness=0.5, decay=0.4, sustain=0.5, vibrato=0.15)
PAD = Voice("saw pad", "wave", "saw", brightness=0.3, attack=0.5, sustain=0.9, release=0.7, detune=12.0)
GLASS = Voice("glass pad", "wave", "organ", brightness=0.4, attack=0.7, sustain=0.9, release=1.0, detune=7.0)
STRINGS = Voice("strings", "wave", "string", brightness=0.55, attack=0.14, sustain=0.9, release=0.25, detune=9.0)
ACCORDION = Voice("accordion", "wave", "reed", brightness=0.65, attack=0.03, sustain=0.95, release=0.08, detune=11.0)
CLARINET = Voice("clarinet", "wave", "square", brightness=0.4, attack=0.03, sustain=0.9, release=0.08, vibrato=0.1)
BRASS = Voice("brass", "wave", "saw", brightness=0.5, attack=0.03, decay=0.5, sustain=0.7, vibrato=0.1)
FLUTE = Voice("flute", "wave", "flute", brightness=0.35, attack=0.05, sustain=0.9, release=0.1, vibrato=0.2)
GUITAR = Voice("steel guitar", "pluck", brightness=0.6, decay=1.6, sustain=0.0, release=0.15, strum=0.012)
NYLON = Voice("nylon guitar", "pluck", brightness=0.35, decay=1.1, sustain=0.0, release=0.15, strum=0.014)
HARP = Voice("harp", "pluck", brightness=0.45, decay=1.8, sustain=0.0, release=0.4, strum=0.02)
DRIVEN = Voice("driven guitar", "pluck", brightness=0.7, decay=2.5, sustain=0.0, release=0.08, drive=9.0, strum=0.006)
FUZZ = Voice("fuzz guitar", "wave", "saw", brightness=0.6, decay=1.5, sustain=0.8, release=0.1, drive=6.0, vibrato=0.15)


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


GENRES: dict[str, Genre] = {genre.name: genre for genre in (HOUSE, TECHNO, HIP_HOP, SWING, WALTZ, FOLK, ROCK, AMBIENT)}


def blend(first: Genre, second: Genre) -> Genre:
    """Return the genre of a song in two genres: rhythm and timing of `first`, sound and harmony of `second`."""
    return replace(second, name=f"{first.name};{second.name}", grooves=first.grooves, live=first.live)
