"""MLflow pyfunc wrapper of a stored model that needs no Spark: audio or features in, one probability per genre out."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel

from genreatlas.errors import ClipError
from genreatlas.models.one_file import Loaded, calibrated, load, predict, score
from genreatlas.values import JsonObject

#: Input column with the bytes of an audio file.
AUDIO = "audio"


class GenreModel(PythonModel):
    """Wraps a model folder that was logged as the artifact ``model``."""

    def load_context(self, context: Any) -> None:
        """Load the model from the logged folder."""
        folder = Path(context.artifacts["model"])
        self.folder = folder
        self.loaded: Loaded = load(folder.parent, folder.name)

    def predict(self, context: Any, model_input: pd.DataFrame, params: JsonObject | None = None) -> pd.DataFrame:
        """Score rows.

        Parameters
        ----------
        model_input : a column ``audio`` with the bytes of audio files, or the model's feature columns.

        Returns
        -------
        One column of probabilities per genre id, and ``genre``, the most probable. For audio also ``reason``: why a
        file could not be used, else None.
        """
        classes = self.loaded.meta.classes
        if AUDIO in model_input.columns:
            return self._audio(model_input[AUDIO], list(classes))
        values = model_input[list(self.loaded.meta.features)].to_numpy(np.float32)
        sums, rows = score(self.loaded, [row[None, :] for row in values])
        answers = pd.DataFrame(
            calibrated(self.loaded, sums / rows[:, None]), columns=list(classes), index=model_input.index
        )
        return answers.assign(genre=answers.idxmax(axis=1))

    def _audio(self, files: "pd.Series[Any]", classes: list[str]) -> pd.DataFrame:
        rows = []
        for content in files:
            try:
                found = predict(bytes(content), self.folder.parent, self.folder.name)
                rows.append(found.probabilities | {"genre": found.genre, "reason": None})
            except ClipError as error:
                rows.append({"genre": None, "reason": error.reason.value})
        return pd.DataFrame(rows, index=files.index, columns=[*classes, "genre", "reason"])
