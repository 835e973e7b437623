"""How good a model is, how sure we are, and whether another is better.

``song_scores`` brings a model's scores together per song. ``outcomes`` is what figures need of them, ``judging``
computes the figures, ``cases`` does so for stored models, ``comparison`` tests whether one model is better than another
by more than chance, ``leaderboard`` ranks. ``importances`` says which features a model needs,
``contest`` whether a challenger is better than the champion, ``drift`` how far new songs lie from the training songs.
"""
