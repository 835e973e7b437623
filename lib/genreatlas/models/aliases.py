"""Models by alias. The newest row of ``promotions`` decides; ``aliases.json`` in the folder of models is a copy."""

from collections.abc import Iterable

from pyspark.sql import Row
from pyspark.sql import functions as F

from genreatlas.config import Config
from genreatlas.errors import ModelError
from genreatlas.models import meta
from genreatlas.store import Reader
from genreatlas.tables import MODELS, PROMOTIONS

#: Lease that promote_model and rollback hold while they change an alias.
LEASE = "promotions"


def decisions(store: Reader, alias: str) -> list[Row]:
    """Rows of ``promotions`` of an alias, oldest first."""
    return store.read(PROMOTIONS).where(F.col("alias") == alias).orderBy("sequence").collect()


def model_row(store: Reader, model_id: str) -> Row:
    """Row of ``models`` of a model.

    Raises
    ------
    ModelError : the table ``models`` has no such model.
    """
    row = store.read(MODELS).where(F.col("model_id") == model_id).first()
    if row is None:
        raise ModelError(f"{model_id}: the table models has no such model. SELECT model_id, candidate FROM models.")
    return row


def resolve(store: Reader, name: str) -> Row:
    """Row of ``models`` of an alias or a model id.

    Raises
    ------
    ModelError : nothing was promoted to an alias of that name, and no model has that id.
    """
    if found := decisions(store, name):
        return model_row(store, found[-1]["model_id"])
    row = store.read(MODELS).where(F.col("model_id") == name).first()
    if row is None:
        raise ModelError(
            f"No model is called {name!r}: it is neither an alias of a promoted model nor a model_id of the table "
            "models. Run retrain or promote_model to make the first champion, or give a model_id."
        )
    return row


def write_file(config: Config, alias: str, model_id: str) -> None:
    """Write an alias to ``aliases.json`` in the folder of models, which is read without Spark."""
    meta.write_alias(config.models.path.absolute(), alias, model_id)


def previous(decided: Iterable[Row]) -> str | None:
    """Id of the model to which a rollback returns; None if there is none.

    Promotions form a stack: a rollback removes the top, a second rollback the next. A rollback to a model chosen by
    hand puts it on top unless the stack contains it already.

    Parameters
    ----------
    decided : rows of ``promotions`` of one alias, oldest first.
    """
    stack: list[str] = []
    for row in decided:
        model_id = row["model_id"]
        if row["action"] == "kept":
            continue
        if row["action"] == "rolled_back" and model_id in stack:
            del stack[len(stack) - stack[::-1].index(model_id) :]
        else:
            stack.append(model_id)
    return stack[-2] if len(stack) > 1 else None
