"""Write genres to the tags of a file, without changing anything else."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from genreatlas.errors import ClipError, Reason

#: A file or tags of mutagen, which has one class per format.
MutagenTags: TypeAlias = Any


def write_genres(path: Path, mime: str, genres: Sequence[str]) -> None:
    """Replace the genres in a file's tags. Several genres become several values, as read by :func:`read_tags`.

    MP3, WAV and AIFF get ID3v2.4, the first version with a separator between values. APEv2 tags with a genre are
    changed, too.

    Parameters
    ----------
    path : the file, which is changed in place.
    mime : MIME type of its content.

    Raises
    ------
    ClipError : the tags cannot be read or written, or the format is not supported.
    """
    import mutagen

    write = _WRITERS.get(mime)
    if write is None:
        raise ClipError(Reason.UNSUPPORTED_FORMAT, f"Tags of {mime} are not written.")
    try:
        write(path, list(genres))
    except (mutagen.MutagenError, ValueError) as error:
        raise ClipError(Reason.BAD_VALUE, f"The tags cannot be written: {error}.") from None


def _write_mpeg(path: Path, genres: list[str]) -> None:
    from mutagen import apev2, id3

    try:
        tags = id3.ID3(path)
    except id3.ID3NoHeaderError:
        tags = id3.ID3()
    _set(tags, genres)
    tags.save(path)
    try:
        others = apev2.APEv2(path)
    except apev2.APENoHeaderError:
        return
    if "Genre" in others:
        others["Genre"] = genres
        others.save(path)


def _write_chunk(kind: Callable[[Path], Any]) -> Callable[[Path, list[str]], None]:
    def write(path: Path, genres: list[str]) -> None:
        file = kind(path)
        if file.tags is None:
            file.add_tags()
        _set(file.tags, genres)
        file.save()

    return write


def _write_wav(path: Path, genres: list[str]) -> None:
    from mutagen import wave

    _write_chunk(wave.WAVE)(path, genres)


def _write_aiff(path: Path, genres: list[str]) -> None:
    from mutagen import aiff

    _write_chunk(aiff.AIFF)(path, genres)


def _write_flac(path: Path, genres: list[str]) -> None:
    from mutagen import flac

    _write_values(flac.FLAC(path), "genre", genres)


def _write_ogg(path: Path, genres: list[str]) -> None:
    from mutagen import oggflac, oggopus, oggvorbis

    with path.open("rb") as file:
        first = file.read(64)
    kind: Any = oggflac.OggFLAC if b"FLAC" in first else oggvorbis.OggVorbis
    _write_values((oggopus.OggOpus if b"OpusHead" in first else kind)(path), "genre", genres)


def _write_mp4(path: Path, genres: list[str]) -> None:
    from mutagen import mp4

    _write_values(mp4.MP4(path), "\xa9gen", genres)


def _write_values(file: MutagenTags, key: str, genres: list[str]) -> None:
    if file.tags is None:
        file.add_tags()
    file[key] = genres
    file.save()


def _set(tags: MutagenTags, genres: list[str]) -> None:
    from mutagen import id3

    tags.setall("TCON", [id3.TCON(encoding=id3.Encoding.UTF8, text=genres)])


_WRITERS: Mapping[str, Callable[[Path, list[str]], None]] = {
    "audio/mpeg": _write_mpeg,
    "audio/flac": _write_flac,
    "audio/ogg": _write_ogg,
    "audio/wav": _write_wav,
    "audio/aiff": _write_aiff,
    "audio/mp4": _write_mp4,
}
