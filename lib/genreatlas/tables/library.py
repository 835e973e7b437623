"""Tables of the music library: songs, artists, genres, clips and recordings."""

from genreatlas.tables.schema import Column, Table

SONGS = Table(
    name="songs",
    comment="One row per song, regardless of the number of its genres, playlists or clips.",
    written_by=("import_folder", "import_features", "collect_songs", "fetch_previews"),
    key=("song_id",),
    cluster_by=("song_id",),
    history=True,
    ended_by=("retired_at",),
    columns=(
        Column(
            "song_id", "string", "Hash of source and the source's own key at the time when the song was first listed."
        ),
        Column("source", "string", "Origin of the song: folder, or the name of an import.", nullable=False),
        Column(
            "source_key", "string", "The source's own key: path, manifest song, row id. Updated when a file was moved."
        ),
        Column("title", "string", "Title in the source."),
        Column("artist", "string", "Artist credit in the source, before splitting and matching."),
        Column("album", "string", "Album in the source."),
        Column("album_artist", "string", "Album artist tag; also groups songs if this artist performs on them."),
        Column("isrc", "string", "International Standard Recording Code, upper case, without hyphens."),
        Column("declared_split", "string", "Part of the split assigned by the source: train, promotion or test."),
        Column("licence", "string", "Licence of the audio according to the source."),
        Column("added_at", "timestamp", "When the row was first written.", volatile=True),
        Column("spotify_id", "string", "Spotify's id of the track."),
        Column("album_id", "string", "Spotify's id of the album."),
        Column("track_number", "int", "Track number on its disc, from 1."),
        Column("disc_number", "int", "Disc of the album, from 1."),
        Column("duration_ms", "int", "Length of the whole recording according to the source.", unit="ms"),
        Column("explicit", "boolean", "Whether the lyrics are marked as explicit."),
        Column(
            "release_date", "string", "Release date of the album, not of the first release; see release_date_precision."
        ),
        Column("release_date_precision", "string", "year, month or day; NULL if the source has no precision."),
        Column("original_year", "int", "Year of the recording's first release, if a source has it."),
        Column("popularity", "int", "Spotify's popularity of the track when it was read.", unit="0..100"),
        Column("cover_url", "string", "URL of the largest cover image."),
        Column("preview_url", "string", "URL of a preview when it was listed; such URLs expire."),
        Column("market", "string", "Country whose catalogue was queried."),
        Column("compilation", "boolean", "Whether the tags mark the album as a compilation; NULL without such a tag."),
        Column("listed_in", "string", "Folder or list that contained the song when last read; see [sync]."),
        Column(
            "retired_at",
            "timestamp",
            "When the song was retired because its source no longer had it; NULL: active. Keeps id and part of split.",
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
        Column("name", "string", "Name; of several spellings the first in sorted order.", nullable=False),
    ),
)

SONG_ARTISTS = Table(
    name="song_artists",
    comment="Artists of a song, in the order of the credit.",
    written_by=("import_folder", "import_features", "collect_songs", "fetch_previews"),
    key=("song_id", "position"),
    cluster_by=("song_id",),
    history=True,
    columns=(
        Column("song_id", "string", "Song."),
        Column("position", "int", "0 for the performer; album artist and guests follow."),
        Column("artist_id", "string", "Artist.", nullable=False),
        Column("role", "string", "primary, album_artist or guest.", nullable=False),
    ),
)

SONG_GENRES = Table(
    name="song_genres",
    comment="Weak genre labels. A song may have several labels, from several sources.",
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
        Column("genre", "string", "Display name of the genre.", nullable=False),
        Column("weight", "double", "Confidence of the source in the label.", unit="0..1", nullable=False),
        Column("label_source", "string", "playlist, artist, search or folder; NULL for imports of features."),
        Column("playlist_id", "string", "Playlist, as in `playlists`, that the label comes from."),
        Column("position", "int", "Position in that playlist, from 0."),
        Column("snapshot", "string", "Snapshot of that playlist."),
        Column("listed_at", "timestamp", "When the song was added to that playlist, according to the playlist."),
        Column(
            "retired_at",
            "timestamp",
            "When the label was retired because its source no longer had the label or the song; NULL: active.",
            volatile=True,
        ),
    ),
)

GENRE_PARENTS = Table(
    name="genre_parents",
    comment="Parent of each genre in the hierarchy of genres, from the configuration or from a source.",
    written_by=("import_folder", "import_features", "collect_songs"),
    key=("genre_id",),
    history=True,
    columns=(
        Column("genre_id", "string", "Slug of the genre."),
        Column("genre", "string", "Name of the genre.", nullable=False),
        Column("parent_id", "string", "Slug of the parent genre.", nullable=False),
        Column("parent", "string", "Name of the parent genre.", nullable=False),
        Column("source", "string", "configuration, fma, search, or the name of an import.", nullable=False),
    ),
)

CLIPS = Table(
    name="clips",
    comment="Metadata of each clip, without its bytes. A clip is one cut of one source file.",
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
            "Batch of rows written in one commit; extraction reads clips by batch.",
            nullable=False,
            volatile=True,
        ),
        Column("song_id", "string", "Song that the clip was cut from.", nullable=False),
        Column(
            "provider", "string", "Provider of the audio: folder, spotify, deezer, every_noise or http.", nullable=False
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
            "file: URI, percent-encoded from the name's bytes; clip_audio: if the bytes are in that table.",
            nullable=False,
        ),
        Column(
            "path",
            "string",
            "For display: path below the folder (undecodable bytes replaced), or the provider's own reference.",
        ),
        Column("window_rule", "string", "Rule that chose the cut, such as middle:30.", nullable=False),
        Column("start_s", "double", "Start of the cut in the source.", unit="s", nullable=False),
        Column("length_s", "double", "Length of the cut.", unit="s", nullable=False),
        Column("mime", "string", "Media type, detected from the content.", nullable=False),
        Column("codec", "string", "Codec reported by the decoder, such as MPEG_LAYER_III or PCM_16."),
        Column("sample_rate", "int", "Sample rate of the source.", unit="Hz", nullable=False),
        Column("channels", "int", "Number of channels of the source.", nullable=False),
        Column("bit_rate", "int", "Mean bit rate of the source file.", unit="bit/s"),
        Column("duration_s", "double", "Duration of the whole source.", unit="s", nullable=False),
        Column("bytes", "bigint", "Size of the source file.", unit="byte", nullable=False),
        Column(
            "modified_ns",
            "bigint",
            "Modification time of the source file; with its size, used to detect changes.",
            unit="ns",
            volatile=True,
        ),
        Column(
            "quality_flags",
            "array<string>",
            "Quality warnings: low_sample_rate, mono, multichannel, clipped (never for fetched audio), ...",
        ),
        Column("licence", "string", "Licence of the audio according to the source."),
        Column("replaced_by", "string", "Clip that replaced this clip after its file changed; else NULL."),
        Column("fetched_at", "timestamp", "When the clip was first imported.", volatile=True),
        Column(
            "sound_sha256",
            "string",
            "SHA-256 of the audio without tags (MPEG frames, Ogg packets, PCM samples); equal for copies with other "
            "tags.",
        ),
        Column(
            "retired_at",
            "timestamp",
            "When the clip was retired because the file or song was no longer in its source; NULL: active.",
            volatile=True,
        ),
    ),
)

CLIP_AUDIO = Table(
    name="clip_audio",
    comment="Bytes of fetched clips. Filter by ingest_batch; a join by keys reads all bytes.",
    written_by=("fetch_previews",),
    key=("ingest_batch", "sha256", "provider"),
    cluster_by=("ingest_batch",),
    in_files=True,  # one batch per file: genreatlas.store.arrivals
    # Compaction would merge batches into files that must then be read once for each batch.
    properties=(("delta.autoOptimize.autoCompact", "false"),),
    columns=(
        Column("ingest_batch", "string", "Batch of rows written at once, as in `clips`.", volatile=True),
        Column("sha256", "string", "SHA-256 of the bytes, as in `clips`."),
        Column("provider", "string", "Provider of the audio; a purge deletes by provider."),
        Column("bytes", "bigint", "Length of the audio.", unit="byte", nullable=False),
        Column("audio", "binary", "Unmodified file: MP3, FLAC, OGG or WAV."),
    ),
)

RECORDINGS = Table(
    name="recordings",
    comment="Songs that are copies of one recording: same ISRC, same audio data or matching fingerprint. Copies count "
    "as one song everywhere. Songs without copies have no row.",
    written_by=("assign_splits",),
    key=("song_id",),
    cluster_by=("song_id",),
    columns=(
        Column("song_id", "string", "Song that has copies."),
        Column(
            "recording_id",
            "string",
            "song_id of the copy that is used: first by part (train, promotion, test, none), then by id.",
            nullable=False,
        ),
    ),
)

LIBRARY_TABLES = (SONGS, ARTISTS, SONG_ARTISTS, SONG_GENRES, GENRE_PARENTS, CLIPS, CLIP_AUDIO, RECORDINGS)
