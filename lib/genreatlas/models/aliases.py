"""Models by alias: the newest row of ``promotions`` says which model is in use, a file beside the models repeats it."""

from collections.abc import Iterable

from pyspark.sql import Row
from pyspark.sql import functions as F

from genreatlas.config import Config
from genreatlas.errors import ModelError
from genreatlas.models import meta
from genreatlas.store import Reader
from genreatlas.tables import MODELS, PROMOTIONS

#: Held while an alias is decided on, by promote_model and by rollback.
LEASE = "promotions"


def decisions(store: Reader, alias: str) -> list[Row]:
    """Rows of ``promotions`` on an alias, oldest first."""
    return store.read(PROMOTIONS).where(F.col("alias") == alias).orderBy("sequence").collect()


def model_row(store: Reader, model_id: str) -> Row:
    """A model's row.

    Raises
    ------
    ModelError : the table ``models`` has no such model.
    """
    row = store.read(MODELS).where(F.col("model_id") == model_id).first()
    if row is None:
        raise ModelError(f"{model_id}: the table models has no such model. SELECT model_id, candidate FROM models.")
    return row


def resolve(store: Reader, name: str) -> Row:
    """The row of the model that an alias means, or of the model with that id.

    Raises
    ------
    ModelError : nothing was promoted to the alias yet, and no model has that id.
    """
    if found := decisions(store, name):
        return model_row(store, found[-1]["model_id"])
    row = store.read(MODELS).where(F.col("model_id") == name).first()
    if row is None:
        raise ModelError(
            f"No model is called {name!r}: nothing was promoted to it, and no model has that id. Run retrain or "
            "promote_model, which makes the first champion, or name a model_id of the table models."
        )
    return row


def write_file(config: Config, alias: str, model_id: str) -> None:
    """Repeat a decision beside the models, for those who read without Spark."""
    meta.write_alias(config.models.path.absolute(), alias, model_id)


def previous(decided: Iterable[Row]) -> str | None:
    """The model that was in use before the present one, later mistakes undone; None where there was none.

    Promotions are a stack: taking one back uncovers what lay below, and taking back again uncovers the next. A
    model that was chosen by hand lies on top, unless it is in the stack already.
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
