"""Models of dense layers: one layer for a linear model, two for a perceptron."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from genreatlas.models.engines.thousands.array_models import Array, ArrayModel, Columns, expect, softmax
from genreatlas.values import JsonObject, JsonView

KIND = "layers"


@dataclass(frozen=True)
class LayeredModel(ArrayModel):
    """``scores = softmax(W x + b)``, with an optional hidden layer (ReLU) before; sigmoids if multi-label.

    Attributes
    ----------
    columns : imputation and scaling.
    layers : (weight (n_in, n_out), bias (n_out,)) of each layer, from columns to classes.
    multi : whether a song may have several genres.
    """

    columns: Columns
    layers: tuple[tuple[Array, Array], ...]
    multi: bool = False

    kind = KIND

    @property
    def n_classes(self) -> int:  # type: ignore[override]
        """Number of genres."""
        return len(self.layers[-1][1])

    @property
    def arrays(self) -> dict[str, Array]:
        """Weights and biases of the layers, by name."""
        found: dict[str, Array] = {}
        for number, (weight, bias) in enumerate(self.layers):
            found |= {f"weight{number}": weight, f"bias{number}": bias}
        return found

    @property
    def facts(self) -> JsonObject:
        """Widths of the layers."""
        return {"widths": [len(bias) for _, bias in self.layers]}

    def _scores(self, X: Array) -> Array:
        for weight, bias in self.layers[:-1]:
            X = np.maximum(X @ weight + bias, 0.0)
        weight, bias = self.layers[-1]
        logits = (X @ weight + bias).astype(np.float64)
        return 1.0 / (1.0 + np.exp(-np.clip(logits, -700, 700))) if self.multi else softmax(logits)

    def column_weights(self) -> NDArray[np.float64]:
        """Mean absolute weight from each scaled column to the first layer."""
        return np.abs(self.layers[0][0].astype(np.float64)).mean(axis=1)


def read(facts: JsonView, columns: Columns, arrays: Mapping[str, Array]) -> LayeredModel:
    """Build a model from the content of a file; ValueError if it is inconsistent."""
    widths = [len(columns.fill), *(int(width) for width in facts["widths"])]
    layers = tuple(
        (expect(arrays, f"weight{number}", (n_in, n_out)), expect(arrays, f"bias{number}", (n_out,)))
        for number, (n_in, n_out) in enumerate(pairwise(widths))
    )
    if not layers or widths[-1] != facts["n_classes"]:
        raise ValueError(f"{widths[-1]} scores for {facts['n_classes']} classes")
    return LayeredModel(columns, layers, bool(facts["multi"]))
