"""The report's pictures of models, for a notebook."""

from genreatlas.config import Config
from genreatlas.errors import InputError
from genreatlas.report import boards, pictures, queries
from genreatlas.report.pictures import Pictures
from genreatlas.store import Reader


def judged(store: Reader, config: Config) -> Pictures:
    """Leaderboard, confusion, importances and the rest, drawn as the report draws them.

    Raises
    ------
    InputError : no model was judged yet.
    """
    data = queries.read_report(store, config)
    found = boards.boards(data.models, data.scores, data.metric, data.level, data.labels)
    if not found:
        raise InputError(f"no model was judged on the part {data.part} yet: run train_models and evaluate_models")
    return pictures.draw(data, found[0])
