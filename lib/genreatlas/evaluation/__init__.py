"""How good a model is, how sure we are, and whether another is better: numpy in, figures out."""

from genreatlas.evaluation.comparison import Comparison, compare, compare_rankings, holm
from genreatlas.evaluation.confused import confidently_confused
from genreatlas.evaluation.judge import judge
from genreatlas.evaluation.outcomes import Outcomes
from genreatlas.evaluation.ranking import MultiJudge
from genreatlas.metrics import average_precision

__all__ = [
    "Comparison",
    "MultiJudge",
    "Outcomes",
    "average_precision",
    "compare",
    "compare_rankings",
    "confidently_confused",
    "holm",
    "judge",
]
