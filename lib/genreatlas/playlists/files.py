"""Write playlists as M3U, XSPF and CSV files, and read M3U and XSPF files of any program."""

import csv
import io
import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes
from xml.etree import ElementTree

from genreatlas.config.recipes import Format
from genreatlas.errors import InputError
from genreatlas.ids import stable_id
from genreatlas.sources.tabular import open_text

_NAMESPACE = "http://xspf.org/ns/0/"
#: Characters that XML 1.0 does not allow, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: First characters by which spreadsheets recognise formulas.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]+://")
_LONGEST_NAME = 80
_MOST_MB = 64


@dataclass(frozen=True)
class Line:
    """A song in a playlist file.

    Attributes
    ----------
    path : absolute path of the song's file; None if there is none.
    link : URL of the song, used if there is no file; may be empty.
    title, artist, album, reason : texts, empty if unknown.
    seconds : length of the played file or song; None if unknown.
    song_id, isrc : identifiers.
    facts : names and values of further columns of the CSV.
    """

    path: bytes | None
    link: str
    title: str
    artist: str
    album: str
    reason: str
    seconds: float | None
    song_id: str
    isrc: str
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def called(self) -> str:
        """Artist and title in one line."""
        return " - ".join(part for part in (_line(self.artist), _line(self.title)) if part) or self.song_id


def file_name(name: str, taken: Sequence[str] = ()) -> str:
    """File name without suffix that is valid on all file systems: letters, digits, blanks, ``-`` and ``_`` of the name.

    Parameters
    ----------
    name : name of the playlist.
    taken : file names of other playlists, from which the result differs by more than case.
    """
    plain = unicodedata.normalize("NFC", name)
    kept = "".join(c if unicodedata.category(c)[0] in "LMN" or c in " -_" else " " for c in plain)
    kept = " ".join(kept.split())
    while len(kept.encode()) > _LONGEST_NAME:
        kept = kept[:-1]
    kept = kept.strip(" -") or "playlist"
    reserved = re.fullmatch(r"(?i)con|prn|aux|nul|com\d|lpt\d", kept)
    if kept != plain or reserved or kept.casefold() in {one.casefold() for one in taken}:
        kept = f"{kept} {stable_id('playlist file', name, length=8)}"
    return kept


def write(folder: Path, name: str, file: str, lines: Sequence[Line], formats: Sequence[Format]) -> list[Path]:
    """Write a playlist in one or more formats. Files are replaced atomically; unchanged files are not written.

    Parameters
    ----------
    folder : target folder, created if needed.
    name : name of the playlist.
    file : name of the files without suffix.
    lines : songs of the playlist.
    formats : m3u8, xspf or csv.

    Returns
    -------
    Paths of the files, in the order of ``formats``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for kind in formats:
        content = {"m3u8": m3u8, "xspf": xspf, "csv": as_csv}[kind](name, lines, os.fsencode(folder.absolute()))
        target = folder / f"{file}.{kind}"
        if not target.is_file() or target.read_bytes() != content:
            partly = folder / f".{file}.{kind}.part"
            partly.write_bytes(content)
            partly.replace(target)
        made.append(target)
    return made


def m3u8(name: str, lines: Sequence[Line], folder: bytes) -> bytes:
    """Extended M3U in UTF-8, with paths relative to ``folder``.

    Paths that are not UTF-8, or contain line breaks, are written as ``file:`` URLs, which preserve all bytes. Songs
    without file and link are written as comments.
    """
    out = ["#EXTM3U", "#EXTENC:UTF-8", f"#PLAYLIST:{_line(name)}"]
    for line in lines:
        place = _m3u_place(line, folder)
        if place is None:
            out.append(f"# no file: {line.called}")
            continue
        seconds = -1 if line.seconds is None else max(0, round(line.seconds))
        out += [f"#EXTINF:{seconds},{line.called}", place]
    return ("\n".join(out) + "\n").encode("utf-8", "replace")


def xspf(name: str, lines: Sequence[Line], folder: bytes) -> bytes:
    """XSPF 1. Locations are URLs relative to ``folder``, percent-encoded from the bytes of the path."""
    root = ElementTree.Element("playlist", {"version": "1", "xmlns": _NAMESPACE})
    _element(root, "title", name)
    tracks = ElementTree.SubElement(root, "trackList")
    for line in lines:
        track = ElementTree.SubElement(tracks, "track")
        if line.path is not None:
            _element(track, "location", _address(_relative(line.path, folder)))
        elif line.link:
            _element(track, "location", quote(line.link, safe=":/?#[]@!$&'()*+,;=%~"))
        if line.isrc:
            _element(track, "identifier", f"urn:isrc:{quote(line.isrc)}")
        for tag, text in (("title", line.title), ("creator", line.artist), ("annotation", line.reason),
                          ("album", line.album)):  # fmt: skip
            if text:
                _element(track, tag, text)
        if line.seconds is not None:
            _element(track, "duration", str(max(0, round(line.seconds * 1000))))
    ElementTree.indent(root)
    body: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return body + b"\n"


def as_csv(name: str, lines: Sequence[Line], folder: bytes) -> bytes:
    """CSV in UTF-8 with a byte order mark, for spreadsheets. Cells that look like formulas are escaped."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    further = [key for key, _ in lines[0].facts] if lines else []
    writer.writerow(
        ["playlist", "position", "artist", "title", "album", "seconds", "reason", *further, "song_id", "isrc", "place"]
    )
    for number, line in enumerate(lines, 1):
        place = line.link if line.path is None else _relative(line.path, folder).decode("utf-8", "replace")
        seconds = "" if line.seconds is None else f"{line.seconds:.0f}"
        texts = [_cell(name), str(number), *map(_cell, (line.artist, line.title, line.album)), seconds]
        figures = [value for _, value in line.facts]
        writer.writerow([*texts, _cell(line.reason), *figures, line.song_id, line.isrc, _cell(place)])
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8", "replace")


@dataclass(frozen=True)
class Listed:
    """An entry of a playlist file: path or URL as written, and artist and title if stated."""

    place: bytes
    called: str = ""


def read_m3u(path: Path, key: str, encoding: str = "auto") -> list[Listed]:
    """Read an M3U or M3U8 file in UTF-8, UTF-16 or Windows-1252, with or without EXTINF.

    Parameters
    ----------
    path : path of the file.
    key : configuration key of the file, for messages.
    encoding : encoding of the file; "auto" detects it.

    Raises
    ------
    InputError : the file cannot be read, or has no entries.
    """
    text, _ = open_text(path, key, encoding)
    entries: list[Listed] = []
    called = ""
    for raw in text():
        for line in raw.split("\r"):
            line = line.strip("\n\0\ufeff ")
            if line.upper().startswith("#EXTINF:"):
                called = line.partition(",")[2].strip()
            elif line and not line.startswith("#"):
                entries.append(Listed(_bytes(line), called))
                called = ""
    if not entries:
        raise InputError(f"{path}: lists no songs. Set {key}.")
    return entries


def read_xspf(path: Path, key: str) -> list[Listed]:
    """Read an XSPF file.

    Parameters
    ----------
    path : path of the file.
    key : configuration key of the file, for messages.

    Raises
    ------
    InputError : the file cannot be read, is not XSPF, is too large, or has no entries.
    """
    try:
        if path.stat().st_size > _MOST_MB << 20:
            raise InputError(f"{path}: larger than {_MOST_MB} MB. Set {key}.")
        parser = ElementTree.XMLParser(target=_NoDoctype())
        root = ElementTree.fromstring(path.read_bytes(), parser)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file. Set {key}.") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}.") from None
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InputError(f"{path}: not XSPF: {error}. Set {key}.") from None
    entries = []
    for track in root.iter():
        if _tag(track) == "track":
            texts = {_tag(child): (child.text or "").strip() for child in track}
            called = " - ".join(part for part in (texts.get("creator", ""), texts.get("title", "")) if part)
            location = texts.get("location", "").encode()
            place = location if _SCHEME.match(location) else unquote_to_bytes(location)
            if place or called:
                entries.append(Listed(place, called))
    if not entries:
        raise InputError(f"{path}: lists no songs. Set {key}.")
    return entries


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses document types, which XSPF does not use and whose entities can expand without bound."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("it declares a document type")


def _bytes(line: str) -> bytes:
    """Encode a path as UTF-8; undecodable bytes of the file are preserved."""
    try:
        return line.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return line.encode("utf-8", "replace")


def _tag(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _line(text: str) -> str:
    """Text on one line, without line breaks and control characters."""
    return " ".join("".join(" " if _breaks(c) else c for c in text).split())


def _breaks(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Zl", "Zp", "Cs")


def _m3u_place(line: Line, folder: bytes) -> str | None:
    if line.path is None:
        return _line(line.link) or None
    below = _relative(line.path, folder)
    try:
        text = below.decode("utf-8")
    except UnicodeDecodeError:
        return f"file://{quote_from_bytes(line.path)}"
    if any(_breaks(letter) for letter in text) or text != text.strip():
        return f"file://{quote_from_bytes(line.path)}"
    return f"./{text}" if text.startswith("#") or ":" in text.split("/")[0] else text


def _relative(path: bytes, folder: bytes) -> bytes:
    return os.path.relpath(path, folder)


def _address(below: bytes) -> str:
    """Relative URL of a path, with ``./`` in front if its first segment contains a colon, like a scheme."""
    made = quote_from_bytes(below, safe="/")
    return f"./{made}" if ":" in made.split("/")[0] else made


def _element(parent: ElementTree.Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = _NOT_XML.sub("\ufffd", text)


def _cell(text: str) -> str:
    plain = text.encode("utf-8", "replace").decode()
    return f"'{plain}" if plain.startswith(_FORMULA) else plain
