-- Distances between genres: root mean square over features of the difference of means, in units of the pooled standard
-- deviation within genres. rank = 1 is the nearest. Has all pairs of genres: with thousands, filter by one genre_id.
WITH spread AS (
    SELECT feature_set, feature, sqrt(sum((n - 1) * std * std) / sum(n - 1)) AS inside
    FROM {{ genre_profile }}
    WHERE n > 1
    GROUP BY feature_set, feature
),
pairs AS (
    SELECT a.feature_set,
           a.genre_id,
           a.genre,
           b.genre_id AS other_id,
           b.genre AS other,
           count(*) AS n_features,
           sqrt(avg(power((a.mean - b.mean) / nullif(s.inside, 0), 2))) AS distance
    FROM {{ genre_profile }} AS a
    JOIN {{ genre_profile }} AS b
      ON b.feature_set = a.feature_set AND b.feature = a.feature AND b.genre_id <> a.genre_id
    JOIN spread AS s ON s.feature_set = a.feature_set AND s.feature = a.feature
    WHERE s.inside > 0
    GROUP BY a.feature_set, a.genre_id, a.genre, b.genre_id, b.genre
)
SELECT feature_set,
       genre_id,
       genre,
       row_number() OVER (PARTITION BY feature_set, genre_id ORDER BY distance, other_id) AS rank,
       other_id,
       other,
       distance,
       n_features
FROM pairs
