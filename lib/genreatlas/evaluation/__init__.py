"""Evaluation of models: metrics with confidence intervals, comparison tests, importances, drift.

``song_scores`` aggregates a model's scores per song; ``song_outcomes`` holds what metrics are computed from,
``judging`` computes the metrics, ``cases`` does so for stored models. ``comparison`` tests whether one model is
significantly better than another, ``leaderboard`` ranks models, ``importances`` measures which features a model needs,
``contest`` decides whether a challenger is better than the champion, and ``drift`` compares new songs with the training
songs.
"""
