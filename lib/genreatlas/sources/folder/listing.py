"""List all files below a folder with paths as bytes, for any encoding, and find the files for paths of a list.

A path of an existing file is used unchanged. Otherwise it is tried as a ``file:`` address, with slashes instead of
backslashes, in composed and decomposed Unicode (Linux keeps names as written by macOS) and in old Windows encodings.
Finally, it is compared without case, and below a moved folder; these two only if exactly one file matches.
"""

import errno
import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_to_bytes

from genreatlas.errors import InputError

Kind = Literal["file", "broken_link", "special", "closed_directory"]

#: Suffixes of audio files. Audio is detected by content; the suffix only determines which files are reported if they
#: are not audio.
AUDIO_NAMES = frozenset(
    b".mp3 .mp2 .mpga .flac .ogg .oga .opus .spx .wav .wave .rf64 .aif .aiff .aifc .au .snd"
    b" .m4a .m4b .mp4 .aac .alac .wma .ape .wv .mpc .dsf .dff .ra .amr .caf".split()
)

#: Trash and system folders, which are left out. Folders whose name begins with a dot are left out too.
_SYSTEM_FOLDERS = frozenset(
    {
        b"$recycle.bin", b"recycler", b"recycled", b"system volume information", b"lost+found", b"found.000",
        b"@eadir", b"@recycle", b"@recently-snapshot", b"@tmp", b"#recycle", b"#snapshot", b"__macosx",
        b"network trash folder", b"temporary items",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or link below the folder, or a directory without permission to list it.

    ``path`` is relative to the folder. ``size`` (bytes) and ``modified_ns`` of a link are those of its target.
    """

    path: bytes
    kind: Kind = "file"
    size: int = 0
    modified_ns: int = 0

    @property
    def text(self) -> str:
        """Path as text for messages; undecodable bytes are replaced."""
        return self.path.decode("utf-8", "replace")


@dataclass(frozen=True)
class Listing:
    """All entries of a folder, sorted by path.

    Parameters
    ----------
    circular : directory links that are not followed, because they lead back.
    left_out : hidden, trash and system folders, which are not listed.
    left_out_files : number of files in these folders.
    """

    root: bytes
    entries: tuple[Entry, ...]
    circular: tuple[bytes, ...] = ()
    left_out: tuple[bytes, ...] = ()
    left_out_files: int = 0

    def absolute(self, entry: Entry) -> bytes:
        """Absolute path of an entry."""
        return os.path.join(self.root, entry.path)  # noqa: PTH118 - bytes


def list_folder(folder: bytes) -> Listing:
    """List a folder with all subfolders.

    Links to directories are followed, except links to a directory that contains them, and, inside linked directories,
    links to directories that were listed before. So the listing terminates.

    Raises
    ------
    InputError : the folder does not exist, cannot be read, or is empty.
    """
    root = os.path.abspath(folder)  # noqa: PTH100 - bytes
    name = root.decode("utf-8", "replace")
    try:
        top = os.stat(root)  # noqa: PTH116 - bytes
        with os.scandir(root):
            pass
    except FileNotFoundError:
        raise InputError(f"{name}: no such folder. Set folder.path.") from None
    except NotADirectoryError:
        raise InputError(f"{name}: not a folder. Set folder.path to the folder with the audio files.") from None
    except PermissionError:
        raise InputError(f"{name}: no permission to list the folder.") from None
    walk = _Walk(root)
    walk.run((top.st_dev, top.st_ino))
    if not walk.entries:
        beside = f" except for {len(walk.left_out)} hidden, trash or system folders" if walk.left_out else ""
        raise InputError(f"{name}: the folder is empty{beside}. Set folder.path to the folder with the audio files.")
    return Listing(
        root,
        tuple(sorted(walk.entries, key=lambda entry: entry.path)),
        tuple(sorted(walk.circular)),
        tuple(sorted(walk.left_out)),
        walk.left_out_files,
    )


def is_left_out(name: bytes) -> bool:
    """Whether a folder with this name is a hidden, trash or system folder."""
    return name.startswith(b".") or name.lower() in _SYSTEM_FOLDERS


def has_audio_name(path: bytes) -> bool:
    """Whether a path has an audio suffix; False for ``._song.mp3``, which macOS creates beside ``song.mp3``."""
    base = path.rsplit(b"/", 1)[-1]
    return not base.startswith(b"._") and os.path.splitext(base)[1].lower() in AUDIO_NAMES  # noqa: PTH122 - bytes


def is_sidecar(listing: Listing, entry: Entry, is_audio: Callable[[bytes], bool]) -> bool:
    """Whether an entry is neither audio nor has an audio suffix, such as a cover, a text or a list.

    Parameters
    ----------
    is_audio : function that detects audio by content; called only for names without an audio suffix.
    """
    if entry.kind == "closed_directory" or entry.kind == "broken_link" or has_audio_name(entry.path):
        return False
    return entry.kind == "special" or entry.size == 0 or not is_audio(listing.absolute(entry))


@dataclass(frozen=True, slots=True)
class _Visit:
    """A directory or a link to a directory that is to be listed; the last of ``ancestors`` is its parent directory."""

    path: bytes
    identity: tuple[int, int]
    ancestors: tuple[tuple[int, int], ...]
    linked: bool
    is_link: bool = False


class _Walk:
    """State of one listing. It uses a stack, because folders may be nested deeper than the recursion limit."""

    def __init__(self, root: bytes) -> None:
        self.root = root
        self.entries: list[Entry] = []
        self.circular: list[bytes] = []
        self.left_out: list[bytes] = []
        self.left_out_files = 0
        self._seen: set[tuple[int, int]] = set()

    def run(self, top: tuple[int, int]) -> None:
        """List the root and all directories below it. Directories are listed before links to directories."""
        waiting = [_Visit(b"", top, (), linked=False)]
        while waiting:
            one = waiting.pop()
            if one.is_link and (one.identity in one.ancestors or (one.linked and one.identity in self._seen)):
                self.circular.append(one.path)
            else:
                waiting.extend(reversed(self._visit(one)))

    def _visit(self, one: _Visit) -> list[_Visit]:
        """List one directory; returns its subdirectories and the targets of its links to directories."""
        self._seen.add(one.identity)
        ancestors, linked = (*one.ancestors, one.identity), one.linked or one.is_link
        directories: list[_Visit] = []
        links: list[_Visit] = []
        try:
            names = sorted(self._scan(one.path))
        except OSError:
            self.entries.append(Entry(one.path, "closed_directory"))
            return []
        for name, is_link in names:
            below = os.path.join(one.path, name)  # noqa: PTH118 - bytes
            try:
                status = os.stat(os.path.join(self.root, below))  # noqa: PTH116, PTH118 - bytes
            except OSError as error:
                kind: Kind = "closed_directory" if error.errno == errno.ENAMETOOLONG else "special"
                self.entries.append(Entry(below, "broken_link" if is_link else kind))
                continue
            identity = (status.st_dev, status.st_ino)
            if not stat.S_ISDIR(status.st_mode):
                kind = "file" if stat.S_ISREG(status.st_mode) else "special"
                self.entries.append(Entry(below, kind, status.st_size, status.st_mtime_ns))
            elif is_left_out(name):
                self.left_out.append(below)
                walked = () if is_link else os.walk(os.path.join(self.root, below))  # noqa: PTH118 - bytes
                self.left_out_files += sum(len(files) for _, _, files in walked)
            else:
                found = links if is_link else directories
                found.append(_Visit(below, identity, ancestors, linked, is_link))
        return directories + links

    def _scan(self, path: bytes) -> Iterator[tuple[bytes, bool]]:
        with os.scandir(os.path.join(self.root, path)) as found:  # noqa: PTH118 - bytes
            for item in found:
                yield item.name, item.is_symlink()


_URI = re.compile(rb"file:(?://(?:localhost)?(?=/))?", re.IGNORECASE)
_DRIVE = re.compile(r"^(?:[A-Za-z]:/|//[^/]+/[^/]+/|/)")


class Finder:
    """Finds files of a folder by the paths of a list.

    Parameters
    ----------
    root : absolute path of the folder.
    files : absolute paths of its files.
    paths : all paths of the list. Below a moved folder, a file is found by its name only if the name is unique in them.
    """

    def __init__(self, root: bytes, files: Collection[bytes], paths: Iterable[bytes] = ()) -> None:
        self._root = root
        self._files = files
        self._names = Counter(_name(path) for path in paths)
        self._folded: dict[str, list[bytes]] | None = None
        self._found: Counter[str] = Counter()
        self._example: dict[str, str] = {}

    def find(self, path: bytes) -> bytes:
        """Absolute path of the matching file; the unchanged absolute path if no file matches."""
        plain = self._absolute(path)
        if plain in self._files or _exists(plain):
            return plain
        tried = {plain}
        for how, other in self._spellings(path):
            if other in tried:
                continue
            tried.add(other)
            if other in self._files or _exists(other):
                return self._told(how, path, other)
        for how, other in self._alike(path):
            return self._told(how, path, other)
        return plain

    def notes(self) -> tuple[str, ...]:
        """One line for each kind of change that was needed to find files."""
        return tuple(
            f"{count} paths of the list were found {how}, such as {self._example[how]!r}"
            for how, count in sorted(self._found.items())
        )

    def _told(self, how: str, path: bytes, other: bytes) -> bytes:
        self._found[how] += 1
        self._example.setdefault(how, path.decode("utf-8", "replace"))
        return other

    def _absolute(self, path: bytes) -> bytes:
        return os.path.normpath(os.path.join(self._root, path))  # noqa: PTH118 - bytes

    def _spellings(self, path: bytes) -> Iterator[tuple[str, bytes]]:
        """Other spellings of a path, with descriptions."""
        bare = path.strip()
        if bare != path:
            yield "without the spaces around them", self._absolute(bare)
        if address := _URI.match(bare):
            bare = unquote_to_bytes(bare[address.end() :])
            bare = bare[1:] if re.match(rb"/[A-Za-z]:[/\\]", bare) else bare
            yield "as file: addresses", self._absolute(bare)
        elif b"%" in bare:
            yield "with % escapes", self._absolute(unquote_to_bytes(bare))
        slashed = bare.replace(b"\\", b"/")
        if slashed != bare:
            yield "with / for \\", self._absolute(slashed)
        try:
            text = slashed.decode("utf-8")
        except UnicodeDecodeError:
            text = slashed.decode("cp1252", "replace")
            yield "as UTF-8", self._absolute(text.encode())
        for form in ("NFC", "NFD"):
            yield "in another form of Unicode", self._absolute(unicodedata.normalize(form, text).encode())
        for codec in ("cp1252", "cp437"):
            try:
                yield "in the encoding of Windows", self._absolute(text.encode(codec))
            except UnicodeEncodeError:
                continue

    def _alike(self, path: bytes) -> Iterator[tuple[str, bytes]]:
        """The only file of the folder whose path differs in case or in its parent folders, if there is exactly one."""
        bare = path.strip()
        if address := _URI.match(bare):
            bare = unquote_to_bytes(bare[address.end() :])
        text = bare.replace(b"\\", b"/").decode("utf-8", "replace")
        below = os.path.relpath(self._absolute(text.encode()), self._root).decode("utf-8", "replace")
        index = self._index()
        if len(same := index.get(_folded(below), [])) == 1:
            yield "in another case or form of letters", same[0]
        elif _DRIVE.match(text):
            parts = _DRIVE.sub("", text).split("/")
            for start in range(len(parts)):
                same = index.get(_folded("/".join(parts[start:])), [])
                alone = start < len(parts) - 1 or self._names[_name(path)] == 1
                if same:
                    if len(same) == 1 and alone:
                        yield "below another folder", same[0]
                    return

    def _index(self) -> dict[str, list[bytes]]:
        if self._folded is None:
            self._folded = {}
            for file in self._files:
                below = os.path.relpath(file, self._root).decode("utf-8", "replace")
                self._folded.setdefault(_folded(below), []).append(file)
        return self._folded


def _name(path: bytes) -> bytes:
    return path.strip().replace(b"\\", b"/").rpartition(b"/")[2]


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _exists(path: bytes) -> bool:
    try:
        return os.path.exists(path)  # noqa: PTH110 - bytes
    except ValueError:  # a NUL in the path
        return False
