"""Tables of the Spotify source: the lists that songs were read from, and what Spotify says of their sound."""

from genreatlas.tables.features import summary_table
from genreatlas.tables.schema import Column, Table

PLAYLISTS = Table(
    name="playlists",
    comment="Lists that songs of a genre were read from: playlists, and searches. Unchanged lists are not read again.",
    written_by=("collect_songs",),
    key=("playlist_id", "genre_id"),
    cluster_by=("playlist_id",),
    columns=(
        Column("playlist_id", "string", "Spotify's id of the playlist, or search:artist:<name>."),
        Column("genre_id", "string", "Slug of the genre that its songs are labelled with."),
        Column("genre", "string", "The genre's name.", nullable=False),
        Column("kind", "string", "playlist, or artist for a search by artist.", nullable=False),
        Column("route", "string", "everynoise, configuration, search or artists: who named the list.", nullable=False),
        Column("role", "string", "What the list is to the genre on Every Noise: sound, intro, pulse, edge, ..."),
        Column("name", "string", "Name of the playlist or artist."),
        Column("owner_id", "string", "User that owns the playlist."),
        Column("owner", "string", "The owner's name."),
        Column("public", "boolean", "Whether the playlist is public."),
        Column("snapshot", "string", "Spotify's snapshot id of the version that was read; NULL: read again."),
        Column("selection", "string", "Hash of what the songs were chosen by: limits, seed, market.", nullable=False),
        Column("form", "string", "Generation of the API: tracks (until 2026) or items."),
        Column("total", "int", "Length of the list as it states it."),
        Column("entries", "int", "Entries that were read.", nullable=False),
        Column("tracks", "int", "Different tracks among them.", nullable=False),
        Column("kept", "int", "Tracks that became songs of the genre.", nullable=False),
        Column("left_out", "map<string,int>", "Entries that are no track: null, local, episode, no_id, ...; repeated."),
        Column("fetched_at", "timestamp", "When it was read.", volatile=True),
    ),
)

SPOTIFY_AUDIO_SET = "spotify_audio"
SPOTIFY_AUDIO = summary_table(
    SPOTIFY_AUDIO_SET,
    "Audio features as the Spotify Web API gives them to apps made before 2024-11-27.",
    (
        Column("danceability", "double", "How fit for dancing: tempo, steadiness, strength of beat.", unit="0..1"),
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
    comment="Playlists that searches found, in the order of the results; a search is not repeated.",
    written_by=("collect_songs",),
    key=("search_id", "position"),
    columns=(
        Column("search_id", "string", "Hash of words and number of results."),
        Column("position", "int", "Place among the results, from 0."),
        Column("query", "string", "Words that were searched for.", nullable=False),
        Column("playlist_id", "string", "Spotify's id of the playlist; NULL where nothing was found."),
        Column("name", "string", "Its name."),
        Column("owner_id", "string", "User that owns it."),
        Column("found_at", "timestamp", "When.", volatile=True),
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
        Column("track_key", "string", "Spotify's id of the track, or the name of the file without one."),
        Column("song_id", "string", "Song; NULL where the file does not say which track it is of."),
        Column("source", "string", "api, or the file that it was imported from.", nullable=False),
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
        Column("tatums", f"array<struct<{_INTERVAL}>>", "Tatums: the smallest regular pulse that is heard."),
        Column("sections", f"array<struct<{_INTERVAL}, {_TONALITY}>>", "Parts such as verse and chorus."),
        Column(
            "segments",
            f"array<struct<{_INTERVAL}, {_SEGMENT}>>",
            "Short stretches of even sound: loudness in dB, 12 pitches from C on (0..1), 12 timbre coefficients.",
        ),
    ),
)

SPOTIFY_ACCESS = Table(
    name="spotify_access",
    comment="What the app may ask of the Spotify Web API, as a probe found.",
    written_by=("collect_songs",),
    key=("app", "ability"),
    family="operations",
    columns=(
        Column("app", "string", "Hash of API, client id and kind of authorisation."),
        Column("ability", "string", "What was probed: playlist_items, audio_features, batch_tracks, ..."),
        Column("allowed", "boolean", "Whether it works; NULL where the probe could not tell."),
        Column("value", "string", "What it gives: form of playlists, page size."),
        Column("http_status", "int", "Status of the answer that decided."),
        Column("detail", "string", "In words, with the date of the restriction that is likely behind it."),
        Column("probed_at", "timestamp", "When.", volatile=True),
    ),
)

SPOTIFY_TABLES = (PLAYLISTS, SPOTIFY_SEARCHES, SPOTIFY_AUDIO, SPOTIFY_AUDIO_ANALYSIS, SPOTIFY_ACCESS)
