"""Delete all audio of one provider: from the table, its older versions and the disk.

What is known of its clips stays in `clips`, and so do their features; later feature sets skip them.
"""

from typing import get_args

from genreatlas import checks
from genreatlas.config import Config
from genreatlas.config.collecting import PreviewProvider
from genreatlas.counts import Counts
from genreatlas.errors import ConfigError
from genreatlas.store import Store, quote, upkeep
from genreatlas.tables import CLIP_AUDIO

READS: tuple[str, ...] = ()
WRITES = ("clip_audio",)
SECTIONS = ("purge",)
check = checks.purge

#: Steps that write or read these bytes; the purge holds their leases, because it removes files at once.
_USERS = ("fetch_previews", "extract_features")


def run(store: Store, config: Config) -> Counts:
    """Purge ``[purge] provider``.

    Raises
    ------
    ConfigError : it names no provider.
    LeaseHeldError : a run that uses the bytes is under way.
    """
    provider, known = config.purge.provider, get_args(PreviewProvider)
    if provider not in known:
        raise ConfigError(f"purge.provider = {provider!r}: name the provider to purge: {', '.join(known)}.")
    condition = f"provider = {quote(provider)}"
    with store.lease(_USERS[0]), store.lease(_USERS[1]):
        staged = upkeep.purge_staged(store, _USERS[0], condition)
        gone = upkeep.purge(store, CLIP_AUDIO.name, condition)  # with what was staged as files, which it publishes
    notes = (f"{staged} of them were staged by a run that was stopped",) if staged else ()
    return Counts(read=gone + staged, written=gone + staged, notes=notes)
