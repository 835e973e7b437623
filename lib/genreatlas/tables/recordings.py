"""Tables of copies that are found by their fingerprints: what was compared, what matched, and what follows from it."""

from genreatlas.tables.schema import Column, Table

LINKED_CLIPS = Table(
    name="linked_clips",
    comment="Clips whose fingerprints were compared with those of all others.",
    written_by=("link_recordings",),
    key=("clip_id",),
    cluster_by=("clip_id",),
    columns=(
        Column("clip_id", "string", "Clip."),
        Column("set_version", "string", "Version of the feature set fingerprint that was compared.", nullable=False),
        Column("preprocessing_id", "string", "Preprocessing of the fingerprint.", nullable=False),
    ),
)

RECORDING_MATCHES = Table(
    name="recording_matches",
    comment="Clips of two songs with one sound: their fingerprints agree where they overlap. What the songs are to "
    "each other stands in recording_links.",
    written_by=("link_recordings",),
    key=("clip_id", "other_clip_id"),
    cluster_by=("clip_id",),
    columns=(
        Column("clip_id", "string", "Clip with the lower id."),
        Column("other_clip_id", "string", "The other clip."),
        Column("song_id", "string", "Song of the first.", nullable=False),
        Column("other_song_id", "string", "Song of the other.", nullable=False),
        Column("error", "double", "Share of bits that differ where they overlap.", unit="0..1", nullable=False),
        Column("others", "double", "Median of that share at other offsets.", unit="0..1"),
        Column("overlap_s", "double", "Length of what they have in common.", unit="s", nullable=False),
        Column("offset_s", "double", "Where the other clip begins in the first.", unit="s", nullable=False),
        Column("speed", "double", "How much faster the other is played.", unit="ratio", nullable=False),
        Column("shared", "int", "Codes that both share at one offset; NULL where only bits were compared."),
    ),
)

RECORDING_LINKS = Table(
    name="recording_links",
    comment="Songs that are copies of one recording by their sound (kind copy), and songs that are versions of "
    "another: they share its sound, and are not one recording. Songs without a row have neither.",
    written_by=("link_recordings",),
    key=("song_id", "recording_id"),
    cluster_by=("song_id",),
    history=True,
    columns=(
        Column("song_id", "string", "Song that is a copy, or a version."),
        Column("recording_id", "string", "Recording: the lowest song_id of its copies, or of a song that has none."),
        Column(
            "kind",
            "string",
            "copy: one recording, each two of whose songs match; master, remix, live, cover, edit: a version, as names "
            "and lengths tell; doubt: neither is sure, and the songs stay apart.",
            nullable=False,
        ),
        Column(
            "score",
            "double",
            "1 for equal fingerprints, 0 where half of the bits differ; of a copy, its weakest link in the recording.",
            unit="0..1",
            nullable=False,
        ),
        Column("evidence", "string", "Why, in words, with the share of bits that differ.", nullable=False),
    ),
)

RECORDING_TABLES = (LINKED_CLIPS, RECORDING_MATCHES, RECORDING_LINKS)
