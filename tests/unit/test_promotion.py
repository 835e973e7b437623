"""Decisions in words, and the model that lay below a promotion."""

import pytest

from genreatlas.errors import ModelError
from genreatlas.evaluation.contest import Contest, Duel, Rules
from genreatlas.models import aliases, meta
from genreatlas.steps.promote_model import verdict

RULES = Rules(0.01, 0.05, 0.95, 100, 10, 1)


def contest(low=0.02, fallen=(), n_groups=20):
    duel = Duel("macro_f1", 0.7, 0.75, 0.05, low, 40, n_groups, low > RULES.min_gain, (), fallen)
    return Contest(duel, duel, 3, "evidence")


@pytest.mark.parametrize(
    ("case", "promoted", "words"),
    [
        (contest(), True, "Better: macro_f1 0.700 → 0.750, gain +0.050, at least +0.020 with confidence 0.95"),
        (contest(low=0.005), False, "Not better by more than 0.01: macro_f1"),
        (contest(fallen=("jazz", "rock")), False, "Better, but jazz, rock fell by more than 0.05: macro_f1"),
        (
            contest(n_groups=9),
            False,
            "40 songs in 9 groups that both models can classify, fewer than retrain.min_groups",
        ),
    ],
)
def test_a_decision_says_why(case, promoted, words):
    decision, reason = verdict(case, RULES)
    assert decision == promoted and words in reason


def decided(*rows):
    return [{"action": action, "model_id": model} for action, model in rows]


@pytest.mark.parametrize(
    ("rows", "before"),
    [
        ([], None),
        ([("first", "a")], None),
        ([("first", "a"), ("promoted", "b")], "a"),
        ([("first", "a"), ("promoted", "b"), ("kept", "b")], "a"),
        ([("first", "a"), ("promoted", "b"), ("promoted", "c"), ("rolled_back", "b")], "a"),
        ([("first", "a"), ("promoted", "b"), ("rolled_back", "a")], None),
        ([("first", "a"), ("promoted", "b"), ("rolled_back", "a"), ("promoted", "c")], "a"),
        ([("first", "a"), ("rolled_back", "by hand")], "a"),
    ],
)
def test_taking_back_uncovers_what_lay_below_and_taking_back_again_the_next(rows, before):
    assert aliases.previous(decided(*rows)) == before


def test_the_file_of_aliases_is_replaced_whole_and_keeps_other_aliases(tmp_path):
    models = tmp_path / "models"
    assert meta.read_aliases(models) == {}
    meta.write_alias(models, "champion", "a")
    meta.write_alias(models, "trial", "b")
    meta.write_alias(models, "champion", "c")
    assert meta.read_aliases(models) == {"champion": "c", "trial": "b"}
    assert [path.name for path in models.iterdir()] == ["aliases.json"]
    (models / "aliases.json").write_text("[")
    with pytest.raises(ModelError, match=r"aliases\.json: cannot be read"):
        meta.read_aliases(models)
