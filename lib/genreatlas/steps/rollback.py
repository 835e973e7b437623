"""Put the model from before the last promotion back into use, or another one: ``--set rollback.model_id=...``."""

from datetime import UTC, datetime

from genreatlas import checks
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.errors import ModelError
from genreatlas.models import aliases, registry
from genreatlas.provenance import git_commit
from genreatlas.store import Store
from genreatlas.tables import PROMOTIONS

READS = ("promotions", "models")
WRITES = ("promotions",)
SECTIONS = ("rollback", "retrain", "models")
check = checks.rollback


def run(store: Store, config: Config) -> Counts:
    """Point the alias of ``[retrain]`` at an earlier model, and add a row to ``promotions``.

    Raises
    ------
    ModelError : there is no earlier model, or its files do not exist.
    """
    alias = config.retrain.alias
    with store.lease(aliases.LEASE):
        decided = aliases.decisions(store, alias)
        present = decided[-1]["model_id"] if decided else None
        wanted = config.rollback.model_id or aliases.previous(decided)
        if wanted is None:
            raise ModelError(
                f"{alias}: no model was in use before {present or 'any promotion'}, so there is no model to return to."
            )
        if wanted == present:
            return Counts(notes=(f"{alias}: {wanted} is in use already.",))
        aliases.model_row(store, wanted)
        if not registry.exists(config, wanted):
            raise ModelError(f"{wanted}: its files are not in {config.models.path.absolute()}. Set models.path.")
        row = {
            "alias": alias,
            "sequence": decided[-1]["sequence"] + 1 if decided else 1,
            "action": "rolled_back",
            "model_id": wanted,
            "champion_id": present,
            "reason": config.rollback.reason or "Rolled back manually.",
            "decided_at": datetime.now(UTC),
            "git_commit": git_commit(),
            "run_id": store.run_id,
        }
        store.upsert(PROMOTIONS, [row])
        aliases.write_file(config, alias, wanted)
    return Counts(read=1, written=1, notes=(f"{alias}: {present or 'nothing'} → {wanted}",))
