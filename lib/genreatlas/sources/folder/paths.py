"""Which file a path of a list means, as other systems and programs write paths.

A path that names a file as it stands is taken as it stands. Else it is tried as a ``file:`` address, with slashes
for backslashes, in composed and decomposed Unicode (Linux keeps what macOS wrote), in the encoding of old Windows, and
at last in any case of letters and below a folder that moved: these only where one file alone is meant.
"""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from urllib.parse import unquote_to_bytes

_URI = re.compile(rb"file:(?://(?:localhost)?(?=/))?", re.IGNORECASE)
_DRIVE = re.compile(r"^(?:[A-Za-z]:/|//[^/]+/[^/]+/|/)")


class Finder:
    """Finds files of a folder by the paths of a list.

    Parameters
    ----------
    root : absolute path of the folder.
    files : absolute paths of its files.
    paths : all paths of the list: of a folder that moved, a file is known by its name alone where no other has it.
    """

    def __init__(self, root: bytes, files: Collection[bytes], paths: Iterable[bytes] = ()) -> None:
        self._root = root
        self._files = files
        self._names = Counter(_name(path) for path in paths)
        self._folded: dict[str, list[bytes]] | None = None
        self._found: Counter[str] = Counter()
        self._example: dict[str, str] = {}

    def find(self, path: bytes) -> bytes:
        """Absolute path of the file that is meant; the path as it stands where none is."""
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
        """One line for each way in which paths were read."""
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
        """Other paths that the text may stand for, exactly."""
        bare = path.strip()
        if bare != path:
            yield "without blanks around them", self._absolute(bare)
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
        """The one file of the folder whose path differs in case, or in the folders above it, if there is one."""
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
