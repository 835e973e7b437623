-- Models and baselines by score on whole songs, with 95 % intervals over artists (docs/intervals.md; NULL with too few).
-- n_absent genres of the model have no song and are left out of means over genres. p_value is of the paired test against
-- the best model, with Holm's correction. hears: what the inputs describe. rank is within part, split, level and labels.
WITH scores AS (
    SELECT model_id,
           part,
           max(CASE WHEN metric = 'accuracy' THEN value END) AS accuracy,
           max(CASE WHEN metric = 'accuracy' THEN low END) AS accuracy_low,
           max(CASE WHEN metric = 'accuracy' THEN high END) AS accuracy_high,
           max(CASE WHEN metric = 'macro_f1' THEN value END) AS macro_f1,
           max(CASE WHEN metric = 'macro_f1' THEN low END) AS macro_f1_low,
           max(CASE WHEN metric = 'macro_f1' THEN high END) AS macro_f1_high,
           max(CASE WHEN metric = 'balanced_accuracy' THEN value END) AS balanced_accuracy,
           max(CASE WHEN metric = 'weighted_f1' THEN value END) AS weighted_f1,
           max(CASE WHEN metric = 'macro_average_precision' THEN value END) AS macro_average_precision,
           max(n_songs) AS n_songs,
           max(n_groups) AS n_groups,
           min(grouping) AS grouping
    FROM {{ metrics }}
    WHERE unit = 'song' AND genre_id = '*' AND other = '*'
    GROUP BY model_id, part
),
absent AS (
    SELECT model_id, part, count(*) AS n_absent
    FROM {{ metrics }}
    WHERE unit = 'song' AND metric = 'support' AND value = 0
    GROUP BY model_id, part
),
compared AS (
    SELECT other AS model_id, part, max(value) AS p_value
    FROM {{ metrics }}
    WHERE metric = 'p_value_holm' AND genre_id = '*'
    GROUP BY other, part
)
SELECT row_number() OVER (
           PARTITION BY s.part, m.split, m.level, m.labels
           ORDER BY coalesce(s.macro_f1, s.macro_average_precision) DESC, m.model_id) AS rank,
       s.part,
       m.engine,
       m.estimator,
       m.feature_set,
       CASE WHEN m.feature_set = 'technical' THEN 'how the files are encoded'
            WHEN m.feature_set = 'loudness' THEN 'how loud the clips are'
            WHEN m.engine = 'baseline' THEN 'nothing'
            ELSE 'music' END AS hears,
       s.accuracy,
       s.accuracy_low,
       s.accuracy_high,
       s.macro_f1,
       s.macro_f1_low,
       s.macro_f1_high,
       s.balanced_accuracy,
       s.weighted_f1,
       s.macro_average_precision,
       c.p_value,
       coalesce(a.n_absent, 0) AS n_absent,
       s.n_songs,
       s.n_groups,
       s.grouping,
       m.params,
       m.split,
       m.split_version,
       m.level,
       m.labels,
       m.fitted_at,
       m.model_id
FROM scores AS s
JOIN {{ models }} AS m ON m.model_id = s.model_id
LEFT JOIN absent AS a ON a.model_id = s.model_id AND a.part = s.part
LEFT JOIN compared AS c ON c.model_id = s.model_id AND c.part = s.part
