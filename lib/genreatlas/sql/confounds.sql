-- Non-musical properties that separate genres: one row per experiment of the step probe and feature set, with the
-- accuracy on held-out songs, its 95 % interval over artists, and the baseline on the same songs.
SELECT kind,
       name,
       feature_set,
       verdict,
       value AS accuracy,
       low AS accuracy_low,
       high AS accuracy_high,
       baseline,
       baseline_name,
       difference,
       difference_low,
       difference_high,
       n_songs,
       n_artists,
       n_genres,
       grouping,
       model,
       sentence,
       made_at
FROM {{ probes }}
WHERE metric = 'accuracy' AND genre_id = '*' AND split = {{ split|literal }}
