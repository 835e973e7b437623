"""Read genres and names from tags: ID3, APEv2, Vorbis comments, MP4, and the INFO list of WAV."""

import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, TypeAlias

from genreatlas.errors import ClipError, Reason
from genreatlas.sources.folder.catalogue import Song, clean_isrc
from genreatlas.sources.folder.manifest import clean_text
from genreatlas.sources.genres import GenreNames

#: Tags of mutagen, which has one class per format.
MutagenTags: TypeAlias = Any

#: Names of each field in ID3 frames; below, those in Vorbis comments, MP4 atoms, APEv2 tags and INFO chunks.
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

_APE = {
    "genre": ("genre",), "artist": ("artist",), "album_artist": ("album artist", "albumartist"), "title": ("title",),
    "album": ("album",), "isrc": ("isrc",), "licence": ("license", "licence", "copyright"),
    "compilation": ("compilation",),
}  # fmt: skip
#: References: Microsoft, Multimedia Programming Interface and Data Specifications 1.0, 1991, "INFO List Chunk".
_INFO = {
    "genre": ("IGNR", "GENR"), "artist": ("IART",), "album_artist": ("IAAR",), "title": ("INAM", "TITL"),
    "album": ("IPRD", "IALB"), "isrc": ("ISRC",), "licence": ("ICOP",),
}  # fmt: skip
_LARGEST_CHUNK = 1 << 26  # maximum bytes of a chunk of tags, which may contain covers

#: Values by field, in order; without missing fields.
Tags = Mapping[str, list[str]]


def read_tags(file: BinaryIO, mime: str) -> Tags:
    """Read the tags of an open file.

    If a file has several kinds of tags, fields missing in the first are read from the next. Genres of ID3v1 are
    numbers, and genres of ID3v2 may refer to them (``(17)``, ``17``, ``RX``): they are converted to names.

    Parameters
    ----------
    mime : MIME type of the file's content.

    Raises
    ------
    ClipError : the tags are damaged, and there are no other tags.
    """
    import mutagen
    from mutagen import id3

    found: dict[str, list[str]] = {}
    broken = ""
    for read in _READERS.get(mime, ()):
        file.seek(0)
        try:
            values = read(file)
        except id3.ID3NoHeaderError:
            continue
        except mutagen.MutagenError as error:
            broken = broken or str(error)
            continue
        for name, texts in values.items():
            clean = [text for text in (clean_text(text).strip().strip("\0") for text in texts) if text]
            if clean:
                found.setdefault(name, clean)
    if broken and not found:
        raise ClipError(Reason.NO_GENRE, f"The tags cannot be read: {broken}.")
    return found


def song_of_tags(key: str, tags: Tags, names: GenreNames) -> Song:
    """Song of a file's tags. Several artists are joined to one credit, the first of which is the primary artist."""
    genres = names.read_all(tags.get("genre", []))
    one = {name: tags[name][0] if tags.get(name) else None for name in ("title", "album", "album_artist", "licence")}
    return Song(
        key=key,
        genres=genres,
        artist="; ".join(tags.get("artist", [])) or None,
        isrc=next(filter(None, map(clean_isrc, tags.get("isrc", []))), None),
        compilation=_yes_or_no(tags.get("compilation", [])),
        no_genre="" if genres else _why_none(tags),
        **one,
    )


def _yes_or_no(values: list[str]) -> bool | None:
    said = {value.casefold() for value in values}
    return True if said & {"1", "true", "yes"} else False if said & {"0", "false", "no"} else None


def _why_none(tags: Tags) -> str:
    if given := tags.get("genre"):
        stated = f"The tags contain {'; '.join(given)!r}, which is not a genre."
        return f"{stated} Tag the file, or set folder.genre_aliases."
    kinds = "ID3, APEv2, Vorbis comments, MP4 and RIFF INFO are read"
    return f"The file has no tag that names a genre ({kinds}). Tag the file."


def _read_id3(file: BinaryIO) -> dict[str, list[str]]:
    """ID3v2 tags at the start of a file, second ID3v2 tags after them, or ID3v1 tags at its end."""
    from mutagen import id3

    values = _of_id3(id3.ID3(fileobj=file))
    file.seek(0)
    head = file.read(10)
    if head[:3] == b"ID3":
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        file.seek(10 + size)
        second = file.read(10)
        if second[:3] == b"ID3":
            size = second[6] << 21 | second[7] << 14 | second[8] << 7 | second[9]
            values = _of_id3(id3.ID3(fileobj=io.BytesIO(second + file.read(min(size, _LARGEST_CHUNK))))) | values
    return values


def _read_ape(file: BinaryIO) -> dict[str, list[str]]:
    from mutagen import apev2

    try:
        tags = apev2.APEv2(fileobj=file)
    except apev2.APENoHeaderError:
        return {}
    texts = {key.casefold(): value for key, value in tags.items() if isinstance(value, apev2.APETextValue)}
    values = {name: _first_of(texts, keys) for name, keys in _APE.items()}
    return {name: _named(found) if name == "genre" else found for name, found in values.items() if found}


def _read_wav(file: BinaryIO) -> dict[str, list[str]]:
    """ID3 tags in a RIFF chunk, and the INFO list."""
    from mutagen import id3

    tagged: dict[str, list[str]] = {}
    info: dict[str, list[str]] = {}
    for name, data in _chunks(file):
        if name.lower() == b"id3 ":
            tagged = _of_id3(id3.ID3(fileobj=io.BytesIO(data))) | tagged
        elif name == b"LIST" and data[:4] == b"INFO":
            for key, text in _chunks(io.BytesIO(b"RIFF\0\0\0\0" + data)):
                info[key.decode("latin-1").upper()] = [_decoded(text)]
    values = {name: _first_of(info, keys) for name, keys in _INFO.items()}
    if values["genre"]:
        values["genre"] = _named(values["genre"])
    return {name: texts for name, texts in values.items() if texts} | tagged


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Chunks of a RIFF file that may contain tags; audio data are skipped."""
    order: Any = "big" if file.read(12)[:4] == b"RIFX" else "little"
    position = 12
    while len(head := file.read(8)) == 8:
        size = int.from_bytes(head[4:], order)
        if head[:4].lower() in (b"id3 ", b"list") or head[:1] in (b"I", b"G", b"T"):
            yield head[:4], file.read(min(size, _LARGEST_CHUNK))
        position += 8 + size + size % 2
        file.seek(position)


def _decoded(data: bytes) -> str:
    text = data.split(b"\0", 1)[0]
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("cp1252", "replace")


def _read_aiff(file: BinaryIO) -> dict[str, list[str]]:
    from mutagen import aiff

    return _of_id3(aiff.AIFF(fileobj=file).tags)


def _read_flac(file: BinaryIO) -> dict[str, list[str]]:
    from mutagen import flac

    return _of_names(flac.FLAC(fileobj=file).tags, _VORBIS)


def _read_ogg(file: BinaryIO) -> dict[str, list[str]]:
    from mutagen import oggflac, oggopus, oggvorbis

    first = file.read(64)
    file.seek(0)
    kind: Callable[..., Any] = oggflac.OggFLAC if b"FLAC" in first else oggvorbis.OggVorbis
    return _of_names((oggopus.OggOpus if b"OpusHead" in first else kind)(fileobj=file).tags, _VORBIS)


def _read_mp4(file: BinaryIO) -> dict[str, list[str]]:
    from mutagen import mp4

    return _of_names(mp4.MP4(fileobj=file).tags, _MP4)


#: Readers of each format, in order.
_READERS: Mapping[str, tuple[Callable[[BinaryIO], dict[str, list[str]]], ...]] = {
    "audio/mpeg": (_read_id3, _read_ape),
    "audio/flac": (_read_flac, _read_id3, _read_ape),
    "audio/ogg": (_read_ogg,),
    "audio/wav": (_read_wav,),
    "audio/aiff": (_read_aiff,),
    "audio/mp4": (_read_mp4,),
}


def _named(genres: list[str]) -> list[str]:
    """Convert ID3v1 genre numbers to names; other genres are not changed."""
    from mutagen import id3

    return list(id3.TCON(encoding=3, text=genres).genres)


def _of_id3(tags: object) -> dict[str, list[str]]:
    if not tags:
        return {}
    values = {name: [text for key in keys for text in _id3_texts(tags, key)] for name, keys in _ID3.items()}
    return {name: texts for name, texts in values.items() if texts}


def _of_names(tags: MutagenTags, names: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    return {name: _first_of(tags, keys) for name, keys in names.items()} if tags else {}


def _id3_texts(tags: MutagenTags, key: str) -> list[str]:
    texts: list[str] = []
    for frame in tags.getall(key):
        if key == "TCON":
            texts.extend(frame.genres)
        elif key == "WCOP":
            texts.append(frame.url)
        else:
            texts.extend(str(text) for text in frame.text)
    return texts


def _first_of(tags: MutagenTags, keys: tuple[str, ...]) -> list[str]:
    for key in keys:
        if key in tags and isinstance(tags[key], bool):  # MP4's cpil
            return [str(tags[key])]
        if key in tags:
            return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in tags[key]]
    return []
