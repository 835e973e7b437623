"""Every name below a folder, as bytes: any encoding, any locale, hidden or not."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from genreatlas.errors import InputError

Kind = Literal["file", "broken_link", "special", "closed_directory"]

#: Names that promise audio. What they hold is told by content; the name only says which files are
#: worth a reason when they hold something else.
AUDIO_NAMES = frozenset(
    b".mp3 .mp2 .mpga .flac .ogg .oga .opus .spx .wav .wave .rf64 .aif .aiff .aifc .au .snd"
    b" .m4a .m4b .mp4 .aac .alac .wma .ape .wv .mpc .dsf .dff .ra .amr .caf".split()
)

#: Folders of trash cans, file systems and servers; those that begin with a point are left out too.
_SYSTEM_FOLDERS = frozenset(
    {
        b"$recycle.bin", b"recycler", b"recycled", b"system volume information", b"lost+found", b"found.000",
        b"@eadir", b"@recycle", b"@recently-snapshot", b"@tmp", b"#recycle", b"#snapshot", b"__macosx",
        b"network trash folder", b"temporary items",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One regular file or link below the folder (or a directory that may not be listed).

    ``path`` is relative to the folder; ``size`` (bytes) and ``modified_ns`` are those of a link's target.
    """

    path: bytes
    kind: Kind = "file"
    size: int = 0
    modified_ns: int = 0

    @property
    def text(self) -> str:
        """The path for people to read; undecodable bytes are replaced."""
        return self.path.decode("utf-8", "replace")


@dataclass(frozen=True)
class Listing:
    """All entries of a folder in the order of their bytes.

    Parameters
    ----------
    circular : directory links that lead in circles.
    left_out : hidden, trash and system folders, which are not looked into.
    left_out_files : how many files lie in them.
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
    """List a folder with all that lies below it.

    Links to directories are followed, once each: not where they lead back to a directory that they
    lie in, and inside a linked directory not to one that was listed before. So the listing ends.

    Raises
    ------
    InputError : there is no such folder, it may not be read, or nothing lies in it.
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
    walk.visit(b"", ((top.st_dev, top.st_ino),), linked=False)
    if not walk.entries:
        beside = f" but for {len(walk.left_out)} hidden, trash or system folders" if walk.left_out else ""
        raise InputError(f"{name}: the folder is empty{beside}. Set folder.path to the folder with the audio files.")
    return Listing(
        root,
        tuple(sorted(walk.entries, key=lambda entry: entry.path)),
        tuple(sorted(walk.circular)),
        tuple(sorted(walk.left_out)),
        walk.left_out_files,
    )


def is_left_out(name: bytes) -> bool:
    """Whether a folder of this name is hidden, a trash can, or kept by a system for itself."""
    return name.startswith(b".") or name.lower() in _SYSTEM_FOLDERS


def has_audio_name(path: bytes) -> bool:
    """Whether the extension promises audio; ``._song.mp3`` is what macOS leaves beside ``song.mp3``, and does not."""
    base = path.rsplit(b"/", 1)[-1]
    return not base.startswith(b"._") and os.path.splitext(base)[1].lower() in AUDIO_NAMES  # noqa: PTH122 - bytes


def is_sidecar(listing: Listing, entry: Entry, is_audio: Callable[[bytes], bool]) -> bool:
    """Whether an entry is neither audio nor named like it: a cover, a text, a list.

    Parameters
    ----------
    is_audio : tells by content; asked only where the name does not promise audio.
    """
    if entry.kind == "closed_directory" or entry.kind == "broken_link" or has_audio_name(entry.path):
        return False
    return entry.kind == "special" or entry.size == 0 or not is_audio(listing.absolute(entry))


class _Walk:
    """State of one listing."""

    def __init__(self, root: bytes) -> None:
        self.root = root
        self.entries: list[Entry] = []
        self.circular: list[bytes] = []
        self.left_out: list[bytes] = []
        self.left_out_files = 0
        self._seen: set[tuple[int, int]] = set()

    def visit(self, path: bytes, ancestors: tuple[tuple[int, int], ...], linked: bool) -> None:
        """List one directory and go down; directories in it come before links to directories."""
        self._seen.add(ancestors[-1])
        links: list[tuple[bytes, tuple[int, int]]] = []
        try:
            names = sorted(self._scan(path))
        except OSError:
            self.entries.append(Entry(path, "closed_directory"))
            return
        for name, is_link in names:
            below = os.path.join(path, name)  # noqa: PTH118 - bytes
            try:
                status = os.stat(os.path.join(self.root, below))  # noqa: PTH116, PTH118 - bytes
            except OSError:
                self.entries.append(Entry(below, "broken_link" if is_link else "special"))
                continue
            identity = (status.st_dev, status.st_ino)
            if not stat.S_ISDIR(status.st_mode):
                kind: Kind = "file" if stat.S_ISREG(status.st_mode) else "special"
                self.entries.append(Entry(below, kind, status.st_size, status.st_mtime_ns))
            elif is_left_out(name):
                self.left_out.append(below)
                walked = () if is_link else os.walk(os.path.join(self.root, below))  # noqa: PTH118 - bytes
                self.left_out_files += sum(len(files) for _, _, files in walked)
            elif is_link:
                links.append((below, identity))
            else:
                self.visit(below, (*ancestors, identity), linked)
        for below, identity in links:
            if identity in ancestors or (linked and identity in self._seen):
                self.circular.append(below)
            else:
                self.visit(below, (*ancestors, identity), linked=True)

    def _scan(self, path: bytes) -> Iterator[tuple[bytes, bool]]:
        with os.scandir(os.path.join(self.root, path)) as found:  # noqa: PTH118 - bytes
            for item in found:
                yield item.name, item.is_symlink()
