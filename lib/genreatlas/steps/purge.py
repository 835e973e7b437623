"""Delete all audio of one provider: from the table, its older versions and the disk.

Rows of `clips` and features of these clips are kept. Feature sets that are extracted later skip them.
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

#: Steps that write or read the audio. The purge holds their leases, because it deletes files immediately.
_USERS = ("fetch_previews", "extract_features")


def run(store: Store, config: Config) -> Counts:
    """Delete the audio of ``purge.provider``. Counts are rows with audio.

    Raises
    ------
    ConfigError : ``purge.provider`` is not a known provider.
    LeaseHeldError : a step that uses the audio is running.
    """
    provider, known = config.purge.provider, get_args(PreviewProvider)
    if provider not in known:
        raise ConfigError(f"purge.provider = {provider!r}: name the provider to purge: {', '.join(known)}.")
    condition = f"provider = {quote(provider)}"
    with store.lease(_USERS[0]), store.lease(_USERS[1]):
        staged = upkeep.purge_staged(store, _USERS[0], condition)
        gone = upkeep.purge(store, CLIP_AUDIO.name, condition)  # includes audio staged as files, which it publishes
    notes = (f"{staged} of them were staged by a run that was stopped",) if staged else ()
    return Counts(read=gone + staged, written=gone + staged, notes=notes)
