"""Tables of copies found by acoustic fingerprints: compared clips, matching clips, and links between songs."""

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
    comment="Pairs of clips of two songs whose fingerprints match where they overlap. The relation of the songs is in "
    "recording_links.",
    written_by=("link_recordings",),
    key=("clip_id", "other_clip_id"),
    cluster_by=("clip_id",),
    columns=(
        Column("clip_id", "string", "Clip with the lower id."),
        Column("other_clip_id", "string", "The other clip."),
        Column("song_id", "string", "Song of the first clip.", nullable=False),
        Column("other_song_id", "string", "Song of the other clip.", nullable=False),
        Column("error", "double", "Share of differing fingerprint bits in the overlap.", unit="0..1", nullable=False),
        Column("others", "double", "Median share of differing bits at other offsets.", unit="0..1"),
        Column("overlap_s", "double", "Length of the overlap.", unit="s", nullable=False),
        Column("offset_s", "double", "Start of the other clip in the first.", unit="s", nullable=False),
        Column(
            "speed", "double", "Playback speed of the other clip relative to the first.", unit="ratio", nullable=False
        ),
        Column("shared", "int", "Fingerprint codes that both share at one offset; NULL: codes were not counted."),
        Column(
            "next_error",
            "double",
            "Least share of differing bits at other offsets; NULL: other offsets overlap too little, or not measured.",
            unit="0..1",
        ),
    ),
)

RECORDING_LINKS = Table(
    name="recording_links",
    comment="Links between songs with matching fingerprints: copies of one recording (kind copy), and versions of "
    "another recording. Songs without copies and versions have no row.",
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
            "copy: same recording, every pair of its songs matches. master, remix, live, cover, edit: a version, "
            "according to names and lengths. doubt: uncertain, treated as different recordings.",
            nullable=False,
        ),
        Column(
            "score",
            "double",
            "1 for equal fingerprints, 0 where half of the bits differ. For a copy: lowest score of its matches within "
            "the recording.",
            unit="0..1",
            nullable=False,
        ),
        Column("evidence", "string", "Reason in words, with the share of differing bits.", nullable=False),
    ),
)

RECORDING_TABLES = (LINKED_CLIPS, RECORDING_MATCHES, RECORDING_LINKS)
