-- One row per active clip and dimension of {{ set.name }}: index of the dimension from 0, name and value.
-- for each: vector set
-- optional: clips
SELECT f.clip_id,
       f.song_id,
       d.position,
       d.feature AS dimension,
       {{ at("f.vector", "f.position") }} AS value
FROM (SELECT g.clip_id, g.song_id, g.vector, g.set_version, {{ explode(numbers_below(set.names | length)) }} AS position
      FROM {{ set.table }} AS g
      JOIN {{ feature_sets }} AS v
        ON v.feature_set = {{ set.name | literal }} AND v.set_version = {{ set.version | literal }} AND v.position = 0
       AND g.set_version = v.set_version AND g.preprocessing_id = v.preprocessing_id
      LEFT JOIN {{ clips_all }} AS c ON c.clip_id = g.clip_id
      WHERE c.replaced_by IS NULL AND c.retired_at IS NULL) AS f
JOIN {{ feature_sets }} AS d
  ON d.feature_set = {{ set.name | literal }} AND d.set_version = f.set_version AND d.position = f.position
