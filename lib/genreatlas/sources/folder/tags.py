"""Genres and names from the tags in the files: ID3, Vorbis comments, MP4, and ID3 in WAV and AIFF."""

from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from genreatlas.errors import ClipError, Reason
from genreatlas.sources.folder.catalogue import Song, clean_isrc
from genreatlas.sources.folder.manifest import clean_text
from genreatlas.sources.genres import GenreNames

#: What is read, and what it is called in ID3 frames, Vorbis comments and MP4 atoms.
_ID3 = {
    "genre": ("TCON",), "artist": ("TPE1",), "album_artist": ("TPE2",), "title": ("TIT2",), "album": ("TALB",),
    "isrc": ("TSRC",), "licence": ("WCOP", "TCOP"), "compilation": ("TCMP", "TXXX:compilation", "TXXX:COMPILATION"),
}  # fmt: skip
_VORBIS = {
    "genre": ("genre",), "artist": ("artist",), "album_artist": ("albumartist", "album artist", "album_artist"),
    "title": ("title",), "album": ("album",), "isrc": ("isrc",), "licence": ("license", "licence", "copyright"),
    "compilation": ("compilation", "itunescompilation"),
}  # fmt: skip
_MP4 = {
    "genre": ("\xa9gen",), "artist": ("\xa9ART",), "album_artist": ("aART",), "title": ("\xa9nam",),
    "album": ("\xa9alb",), "isrc": ("----:com.apple.iTunes:ISRC",), "licence": ("cprt",),
    "compilation": ("cpil",),
}  # fmt: skip

#: Tag = its values, in order; absent tags are absent.
Tags = Mapping[str, list[str]]


def read_tags(file: BinaryIO, mime: str) -> Tags:
    """Read the tags of an open file, whose format is known.

    Genres of ID3v1 are numbers, and those of ID3v2 may refer to them (``(17)``, ``17``, ``RX``): all
    become names.

    Raises
    ------
    ClipError : the tags are broken.
    """
    import mutagen

    file.seek(0)
    try:
        found = _opener(mime, file)(fileobj=file)
    except mutagen.MutagenError as error:
        if "no id3" in str(error).lower() or "not find" in str(error).lower():
            return {}
        raise ClipError(Reason.NO_GENRE, f"The tags cannot be read: {error}.") from None
    tags = found.tags
    if not tags:
        return {}
    if mime == "audio/mp4":
        values = {name: _first_of(tags, keys) for name, keys in _MP4.items()}
    elif hasattr(tags, "getall"):
        values = {name: [text for key in keys for text in _id3_texts(tags, key)] for name, keys in _ID3.items()}
    else:
        values = {name: _first_of(tags, keys) for name, keys in _VORBIS.items()}
    clean = {name: [clean_text(text).strip() for text in texts] for name, texts in values.items()}
    return {name: [text for text in texts if text] for name, texts in clean.items() if any(texts)}


def song_of_tags(key: str, tags: Tags, names: GenreNames) -> Song:
    """Turn tags into a song; several artists become one credit, of whom the first is the primary one."""
    one = {name: tags[name][0] if tags.get(name) else None for name in ("title", "album", "album_artist", "licence")}
    return Song(
        key=key,
        genres=names.read_all(tags.get("genre", [])),
        artist="; ".join(tags.get("artist", [])) or None,
        isrc=next(filter(None, map(clean_isrc, tags.get("isrc", []))), None),
        compilation=_yes_or_no(tags.get("compilation", [])),
        **one,
    )


def _yes_or_no(values: list[str]) -> bool | None:
    said = {value.casefold() for value in values}
    return True if said & {"1", "true", "yes"} else False if said & {"0", "false", "no"} else None


def _opener(mime: str, file: BinaryIO) -> Callable[..., Any]:
    from mutagen import aiff, flac, mp3, mp4, oggflac, oggopus, oggvorbis, wave

    if mime == "audio/ogg":
        first = file.read(64)
        file.seek(0)
        if b"OpusHead" in first:
            return oggopus.OggOpus
        return oggflac.OggFLAC if b"FLAC" in first else oggvorbis.OggVorbis
    kinds: dict[str, Callable[..., Any]] = {
        "audio/mpeg": mp3.MP3,
        "audio/flac": flac.FLAC,
        "audio/wav": wave.WAVE,
        "audio/aiff": aiff.AIFF,
        "audio/mp4": mp4.MP4,
    }
    return kinds.get(mime, _Untagged)


class _Untagged:
    """A format that has no tags."""

    tags = None

    def __init__(self, fileobj: BinaryIO) -> None:
        del fileobj


def _id3_texts(tags: Any, key: str) -> list[str]:
    texts: list[str] = []
    for frame in tags.getall(key):
        if key == "TCON":
            texts.extend(frame.genres)
        elif key == "WCOP":
            texts.append(frame.url)
        else:
            texts.extend(str(text) for text in frame.text)
    return texts


def _first_of(tags: Any, keys: tuple[str, ...]) -> list[str]:
    for key in keys:
        if key in tags and isinstance(tags[key], bool):  # MP4's cpil
            return [str(tags[key])]
        if key in tags:
            return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in tags[key]]
    return []
