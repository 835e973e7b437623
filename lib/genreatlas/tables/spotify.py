"""Tables of the Spotify source: lists that songs were read from, audio features and audio analyses."""

from genreatlas.tables.features import summary_table
from genreatlas.tables.schema import Column, Table

PLAYLISTS = Table(
    name="playlists",
    comment="Lists that songs of a genre were read from: playlists and searches. Unchanged lists are not read again.",
    written_by=("collect_songs",),
    key=("playlist_id", "genre_id"),
    cluster_by=("playlist_id",),
    columns=(
        Column("playlist_id", "string", "Spotify's id of the playlist, or search:artist:<name>."),
        Column("genre_id", "string", "Slug of the genre that the list's songs are labelled with."),
        Column("genre", "string", "The genre's name.", nullable=False),
        Column("kind", "string", "playlist, or artist for a search by artist.", nullable=False),
        Column(
            "route", "string", "How the list was found: everynoise, configuration, search or artists.", nullable=False
        ),
        Column("role", "string", "Role of the list for the genre on Every Noise: sound, intro, pulse, edge, ..."),
        Column("name", "string", "Name of the playlist or artist."),
        Column("owner_id", "string", "User that owns the playlist."),
        Column("owner", "string", "The owner's name."),
        Column("public", "boolean", "Whether the playlist is public."),
        Column("snapshot", "string", "Spotify's snapshot id of the version that was read; NULL: will be read again."),
        Column("selection", "string", "Hash of the selection settings: limits, seed, market.", nullable=False),
        Column("form", "string", "Generation of the API: tracks (until 2026) or items."),
        Column("total", "int", "Length of the list as Spotify reports it."),
        Column("entries", "int", "Number of entries read.", nullable=False),
        Column("tracks", "int", "Number of distinct tracks among the entries.", nullable=False),
        Column("kept", "int", "Number of tracks selected as songs of the genre.", nullable=False),
        Column(
            "left_out",
            "map<string,int>",
            "Number of unused entries by reason: null, local, episode, no_id, repeated, ...",
        ),
        Column("fetched_at", "timestamp", "When the list was read.", volatile=True),
    ),
)

SPOTIFY_AUDIO_SET = "spotify_audio"
SPOTIFY_AUDIO = summary_table(
    SPOTIFY_AUDIO_SET,
    "Audio features of the Spotify Web API, which returns them to apps created before 2024-11-27.",
    (
        Column("danceability", "double", "Suitability for dancing: tempo, steadiness, strength of beat.", unit="0..1"),
        Column("energy", "double", "Perceived intensity and activity.", unit="0..1"),
        Column("key", "int", "Key, 0 is C; NULL where none was found."),
        Column("loudness", "double", "Mean loudness of the whole track.", unit="dB"),
        Column("mode", "int", "1 major, 0 minor."),
        Column("speechiness", "double", "Presence of spoken words.", unit="0..1"),
        Column("acousticness", "double", "Confidence that the track is acoustic.", unit="0..1"),
        Column("instrumentalness", "double", "Confidence that the track has no vocals.", unit="0..1"),
        Column("liveness", "double", "Confidence that an audience is present.", unit="0..1"),
        Column("valence", "double", "Musical positiveness.", unit="0..1"),
        Column("tempo", "double", "Estimated tempo; NULL where none was found.", unit="bpm"),
        Column("time_signature", "int", "Beats in a bar; NULL where none was found."),
    ),
    written_by="collect_songs",
)

SPOTIFY_SEARCHES = Table(
    name="spotify_searches",
    comment="Playlists returned by searches, in the order of the results. A search is not repeated.",
    written_by=("collect_songs",),
    key=("search_id", "position"),
    columns=(
        Column("search_id", "string", "Hash of words and number of results."),
        Column("position", "int", "Position among the results, from 0."),
        Column("query", "string", "Search words.", nullable=False),
        Column("playlist_id", "string", "Spotify's id of the playlist; NULL if there was no result."),
        Column("name", "string", "Name of the playlist."),
        Column("owner_id", "string", "User that owns the playlist."),
        Column("found_at", "timestamp", "When the search was made.", volatile=True),
    ),
)

_INTERVAL = "start_s: double, duration_s: double, confidence: double"
_TONALITY = (
    "loudness: double, tempo: double, tempo_confidence: double, key: int, key_confidence: double, mode: int, "
    "mode_confidence: double, time_signature: int, time_signature_confidence: double"
)
_SEGMENT = (
    "loudness_start: double, loudness_max_time_s: double, loudness_max: double, loudness_end: double, "
    "pitches: array<double>, timbre: array<double>"
)

SPOTIFY_AUDIO_ANALYSIS = Table(
    name="spotify_audio_analysis",
    comment="Spotify's audio analyses: bars, beats, tatums, sections and segments of a track.",
    written_by=("collect_songs", "import_analyses"),
    key=("track_key",),
    cluster_by=("track_key",),
    family="features",
    columns=(
        Column("track_key", "string", "Spotify's id of the track, or the file name if the file has no id."),
        Column("song_id", "string", "Song; NULL if the file has no track id."),
        Column("source", "string", "api, or the imported file.", nullable=False),
        Column("analyzer_version", "string", "Version of Spotify's analyser."),
        Column("duration_s", "double", "Length of the analysed audio.", unit="s"),
        Column("loudness", "double", "Mean loudness.", unit="dB"),
        Column("tempo", "double", "Estimated tempo.", unit="bpm"),
        Column("tempo_confidence", "double", "Confidence of the tempo.", unit="0..1"),
        Column("key", "int", "Key, 0 is C; NULL where none was found."),
        Column("key_confidence", "double", "Confidence of the key.", unit="0..1"),
        Column("mode", "int", "1 major, 0 minor."),
        Column("mode_confidence", "double", "Confidence of the mode.", unit="0..1"),
        Column("time_signature", "int", "Beats in a bar; NULL where none was found."),
        Column("time_signature_confidence", "double", "Confidence of the time signature.", unit="0..1"),
        Column("end_of_fade_in_s", "double", "End of the fade-in.", unit="s"),
        Column("start_of_fade_out_s", "double", "Start of the fade-out.", unit="s"),
        Column("bars", f"array<struct<{_INTERVAL}>>", "Bars."),
        Column("beats", f"array<struct<{_INTERVAL}>>", "Beats."),
        Column("tatums", f"array<struct<{_INTERVAL}>>", "Tatums: the smallest regular pulse that is perceived."),
        Column("sections", f"array<struct<{_INTERVAL}, {_TONALITY}>>", "Sections such as verse and chorus."),
        Column(
            "segments",
            f"array<struct<{_INTERVAL}, {_SEGMENT}>>",
            "Short stretches of even sound: loudness in dB, 12 pitches from C on (0..1), 12 timbre coefficients.",
        ),
    ),
)

SPOTIFY_ACCESS = Table(
    name="spotify_access",
    comment="Endpoints and abilities of the Spotify Web API that the app may use, as probed.",
    written_by=("collect_songs",),
    key=("app", "ability"),
    family="operations",
    columns=(
        Column("app", "string", "Hash of API, client id and kind of authorisation."),
        Column("ability", "string", "Probed ability: playlist_items, audio_features, batch_tracks, ..."),
        Column("allowed", "boolean", "Whether it works; NULL where the probe was inconclusive."),
        Column("value", "string", "Result of the probe: form of playlists, page size."),
        Column("http_status", "int", "HTTP status of the decisive response."),
        Column("detail", "string", "Result in words, with the date of the restriction that is the likely cause."),
        Column("probed_at", "timestamp", "When the ability was probed.", volatile=True),
    ),
)

SPOTIFY_TABLES = (PLAYLISTS, SPOTIFY_SEARCHES, SPOTIFY_AUDIO, SPOTIFY_AUDIO_ANALYSIS, SPOTIFY_ACCESS)
