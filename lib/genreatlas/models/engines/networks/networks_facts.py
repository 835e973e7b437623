"""Descriptions of the estimators of the engine ``networks``; imports no training library."""

from genreatlas.models.engines.estimators import SWITCH, Facts, Values, either, number, one_of, share, whole

#: Limit of genres: with 2,000 genres the output layer takes a quarter of the maximum of a million parameters.
_MOST_CLASSES = 2_000
_MOST_ROWS = 5_000_000

#: ``all``, or prefixes of column names, joined by ``+``.
_COLUMNS = Values(
    lambda value: isinstance(value, str) and bool(value.strip("+ ")),
    "all, or prefixes of column names, such as timbre, or timbre+pitch",
)

_TRAINING = {
    "columns": _COLUMNS,
    "crop_s": number(least=1, most=30),
    "crop_rows": whole(8, 4096),
    "epochs": whole(1, 10_000),
    "patience": whole(1),
    "batch": whole(2, 1024),
    "learning_rate": number(above=0, most=1),
    "weight_decay": number(least=0, most=1),
    "imbalance": one_of("none", "weights", "logit_adjustment", "resampling"),
    "mixup": number(least=0, most=5),
    "spec_augment": SWITCH,
    "dropout": either(share(most_is_one=False), one_of(0.0)),
}


def _facts(own: dict[str, Values], **grid: object) -> Facts:
    return Facts(
        {**_TRAINING, **own},
        {name: (value,) for name, value in grid.items()},
        max_rows=_MOST_ROWS,
        max_classes=_MOST_CLASSES,
    )


#: Name in the configuration = network.
ESTIMATORS: dict[str, Facts] = {
    "cnn_1d": _facts({"filters": whole(4, 64)}, columns="all"),
    "cnn_2d": _facts({"filters": whole(4, 64)}, columns="all"),
    "short_chunk_cnn": _facts({"filters": whole(4, 32)}, columns="all"),
    "gru": _facts({"units": whole(4, 256)}, columns="all"),
}
