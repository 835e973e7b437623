"""Tables of the music library: songs, who made them, their genres, and their clips."""

from genreatlas.tables.schema import Column, Table

SONGS = Table(
    name="songs",
    comment="One row per recording, whatever the number of genres, playlists or clips it has.",
    written_by=("import_folder", "import_features", "collect_songs", "fetch_previews"),
    key=("song_id",),
    cluster_by=("song_id",),
    history=True,
    ended_by=("retired_at",),
    columns=(
        Column(
            "song_id", "string", "Hash of source and the source's own key, as it was when it first listed the song."
        ),
        Column("source", "string", "Where the song comes from: folder, or the name of an import.", nullable=False),
        Column(
            "source_key", "string", "The source's own key: path, manifest song, row id. A moved file has its new path."
        ),
        Column("title", "string", "Title as the source gives it."),
        Column("artist", "string", "Artist as the source credits it, before any splitting or matching."),
        Column("album", "string", "Album as the source gives it."),
        Column("album_artist", "string", "Album artist as tagged; groups songs too, where it performs itself."),
        Column("isrc", "string", "International Standard Recording Code, upper case, without hyphens."),
        Column("declared_split", "string", "Part that the source itself assigns: train, promotion or test."),
        Column("licence", "string", "Licence of the audio as the source states it."),
        Column("added_at", "timestamp", "When the row was first written.", volatile=True),
        Column("spotify_id", "string", "Spotify's id of the track."),
        Column("album_id", "string", "Spotify's id of the album."),
        Column("track_number", "int", "Place on its disc, from 1."),
        Column("disc_number", "int", "Disc of the album, from 1."),
        Column("duration_ms", "int", "Length of the whole recording as the source states it.", unit="ms"),
        Column("explicit", "boolean", "Whether the lyrics are marked as explicit."),
        Column(
            "release_date", "string", "Date of the album, as precise as the next column says: not the first release."
        ),
        Column("release_date_precision", "string", "year, month or day; NULL where the source does not say."),
        Column("original_year", "int", "Year of the recording's first release, where a source states it."),
        Column("popularity", "int", "Spotify's popularity of the track when it was read.", unit="0..100"),
        Column("cover_url", "string", "Address of the largest cover."),
        Column("preview_url", "string", "Address of a preview as it was seen; such addresses expire."),
        Column("market", "string", "Country whose catalogue was asked."),
        Column("compilation", "boolean", "Whether the tags call the album a compilation; NULL where they do not say."),
        Column("listed_in", "string", "Folder or list that named the song when it was last read; see [sync]."),
        Column(
            "retired_at",
            "timestamp",
            "When a source no longer had the song; NULL while it counts. It keeps its id and its part of the split.",
            volatile=True,
        ),
    ),
)

ARTISTS = Table(
    name="artists",
    comment="One row per artist name after normalisation.",
    written_by=("import_folder", "import_features", "collect_songs", "fetch_previews"),
    key=("artist_id",),
    cluster_by=("artist_id",),
    columns=(
        Column("artist_id", "string", "Hash of the normalised name."),
        Column("name", "string", "The name, spelt as it was first seen in sorted order.", nullable=False),
    ),
)

SONG_ARTISTS = Table(
    name="song_artists",
    comment="Who made a song, in the order of the credit.",
    written_by=("import_folder", "import_features", "collect_songs", "fetch_previews"),
    key=("song_id", "position"),
    cluster_by=("song_id",),
    history=True,
    columns=(
        Column("song_id", "string", "Song."),
        Column("position", "int", "0 is who performs the song; an album artist and guests follow."),
        Column("artist_id", "string", "Artist.", nullable=False),
        Column("role", "string", "primary, album_artist or guest.", nullable=False),
    ),
)

SONG_GENRES = Table(
    name="song_genres",
    comment="Weak genre labels: a song may have many, from several sources.",
    written_by=("import_folder", "import_features", "collect_songs", "fetch_previews"),
    key=("song_id", "genre_id", "source"),
    cluster_by=("genre_id",),
    history=True,
    ended_by=("retired_at",),
    columns=(
        Column("song_id", "string", "Song."),
        Column("genre_id", "string", "Slug of the genre after aliases."),
        Column(
            "source",
            "string",
            "directory, tags, manifest, fma, jamendo, correction (of a visitor of the site), the name of an import, or "
            "the URI of a playlist or search.",
        ),
        Column("genre", "string", "The genre's name as shown to people.", nullable=False),
        Column("weight", "double", "How much the source stands behind the label.", unit="0..1", nullable=False),
        Column("label_source", "string", "playlist, artist, search or folder; NULL for imports of features."),
        Column("playlist_id", "string", "Row of playlists that the label comes from."),
        Column("position", "int", "Place on that list, from 0."),
        Column("snapshot", "string", "Snapshot of that list."),
        Column("listed_at", "timestamp", "When the song was put on that list, as the list says."),
        Column(
            "retired_at",
            "timestamp",
            "When the source took the label back, or no longer had the song; NULL while it counts.",
            volatile=True,
        ),
    ),
)

GENRE_PARENTS = Table(
    name="genre_parents",
    comment="The tree of genres: from configuration or from the source's own tree.",
    written_by=("import_folder", "import_features", "collect_songs"),
    key=("genre_id",),
    history=True,
    columns=(
        Column("genre_id", "string", "Slug of the genre."),
        Column("genre", "string", "Its name.", nullable=False),
        Column("parent_id", "string", "Slug of the parent genre.", nullable=False),
        Column("parent", "string", "The parent's name.", nullable=False),
        Column("source", "string", "configuration, fma, search, or the name of an import.", nullable=False),
    ),
)

CLIPS = Table(
    name="clips",
    comment="What is known of each clip; never its bytes. A clip is one cut of one source file.",
    written_by=("import_folder", "fetch_previews", "collect_songs"),
    key=("clip_id",),
    cluster_by=("ingest_batch", "clip_id"),
    history=True,
    ended_by=("replaced_by", "retired_at"),
    columns=(
        Column("clip_id", "string", "Hash of song, provider, audio hash and start."),
        Column(
            "ingest_batch",
            "string",
            "One value per commit; extraction takes its chunks by it.",
            nullable=False,
            volatile=True,
        ),
        Column("song_id", "string", "Song that the clip was cut from.", nullable=False),
        Column(
            "provider", "string", "Who gave the audio: folder, spotify, deezer, every_noise or http.", nullable=False
        ),
        Column(
            "audio_id",
            "string",
            "Hash of audio bytes (of fetched MP3s without tags), start and length: equal cuts are extracted once.",
            nullable=False,
        ),
        Column("sha256", "string", "SHA-256 of the source file's bytes.", nullable=False),
        Column(
            "uri",
            "string",
            "file: URI, percent-encoded from the name's bytes; clip_audio: where the bytes are in that table.",
            nullable=False,
        ),
        Column(
            "path",
            "string",
            "For people: path below the folder (undecodable bytes are replaced), or the provider's own reference.",
        ),
        Column("window_rule", "string", "Rule that chose the cut, such as middle:30.", nullable=False),
        Column("start_s", "double", "Where the cut starts in the source.", unit="s", nullable=False),
        Column("length_s", "double", "Length of the cut.", unit="s", nullable=False),
        Column("mime", "string", "Media type by content, not by name.", nullable=False),
        Column("codec", "string", "Codec as the decoder names it, such as MPEG_LAYER_III or PCM_16."),
        Column("sample_rate", "int", "Sample rate of the source.", unit="Hz", nullable=False),
        Column("channels", "int", "Channels of the source.", nullable=False),
        Column("bit_rate", "int", "Mean bit rate of the source file.", unit="bit/s"),
        Column("duration_s", "double", "Duration of the whole source.", unit="s", nullable=False),
        Column("bytes", "bigint", "Size of the source file.", unit="byte", nullable=False),
        Column(
            "modified_ns",
            "bigint",
            "Modification time of the source file; with size, tells if it changed.",
            unit="ns",
            volatile=True,
        ),
        Column(
            "quality_flags",
            "array<string>",
            "Odd but usable: low_sample_rate, mono, multichannel, clipped (never of fetched audio), ...",
        ),
        Column("licence", "string", "Licence of the audio as the source states it."),
        Column("replaced_by", "string", "Clip that took this one's place after its file changed; else NULL."),
        Column("fetched_at", "timestamp", "When the clip was first imported.", volatile=True),
        Column(
            "sound_sha256",
            "string",
            "SHA-256 of the sound alone (MPEG frames, Ogg packets, PCM samples): copies with other tags share it.",
        ),
        Column(
            "retired_at",
            "timestamp",
            "When the file, or the song, was no longer in its source; NULL while the clip counts.",
            volatile=True,
        ),
    ),
)

CLIP_AUDIO = Table(
    name="clip_audio",
    comment="Bytes of fetched clips only; read by ingest_batch, never by joining keys against them.",
    written_by=("fetch_previews",),
    key=("ingest_batch", "sha256", "provider"),
    cluster_by=("ingest_batch",),
    in_files=True,  # of one batch each: genreatlas.store.arrivals
    # Compaction would bring batches together in files that are then read for each of them.
    properties=(("delta.autoOptimize.autoCompact", "false"),),
    columns=(
        Column("ingest_batch", "string", "Rows that were written at once, as in clips.", volatile=True),
        Column("sha256", "string", "SHA-256 of the bytes, as in clips."),
        Column("provider", "string", "Who gave the audio; a purge removes by it."),
        Column("bytes", "bigint", "Length of the audio.", unit="byte", nullable=False),
        Column("audio", "binary", "The file as it came: MP3, FLAC, OGG or WAV."),
    ),
)

RECORDINGS = Table(
    name="recordings",
    comment="Songs of which there are several copies, by ISRC, by their sound or by its fingerprint. Copies count once "
    "everywhere; songs without a row have none.",
    written_by=("assign_splits",),
    key=("song_id",),
    cluster_by=("song_id",),
    columns=(
        Column("song_id", "string", "Song that is a copy, or has one."),
        Column(
            "recording_id",
            "string",
            "The copy that counts: the first by its part (train, promotion, test, none), then by its id.",
            nullable=False,
        ),
    ),
)

LIBRARY_TABLES = (SONGS, ARTISTS, SONG_ARTISTS, SONG_GENRES, GENRE_PARENTS, CLIPS, CLIP_AUDIO, RECORDINGS)
