-- Calibration of models: songs in ten bins by the probability of the predicted genre, with the share of correct
-- predictions. gap is mean confidence minus that share: above 0 the model is overconfident.
SELECT model_id,
       part,
       bin / CAST(10 AS double) AS bin_low,
       (bin + 1) / CAST(10 AS double) AS bin_high,
       count(*) AS n_songs,
       avg(confidence) AS mean_confidence,
       avg(is_right) AS share_right,
       avg(confidence) - avg(is_right) AS gap
FROM (SELECT model_id,
             part,
             confidence,
             least(CAST(floor(confidence * 10) AS int), 9) AS bin,
             CASE WHEN array_contains(genres, predicted) THEN CAST(1 AS double) ELSE CAST(0 AS double) END AS is_right
      FROM {{ predictions }}
      WHERE score_kind = 'probability')
GROUP BY model_id, part, bin
