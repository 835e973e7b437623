-- Feature rows that no current model or view uses, because of an older version, other preprocessing, or a replaced or
-- retired clip. One row per table, version, preprocessing and reason.
-- needs: feature sets
-- optional: clips
{% for set in sets -%}
SELECT {{ set.table_name | literal }} AS table_name, set_version, preprocessing_id, why, count(*) AS n_rows
FROM (SELECT f.set_version,
             f.preprocessing_id,
             CASE WHEN f.set_version <> v.set_version THEN 'older version'
                  WHEN f.preprocessing_id <> v.preprocessing_id THEN 'other preprocessing'
                  WHEN c.replaced_by IS NOT NULL THEN 'clip replaced'
                  WHEN c.retired_at IS NOT NULL THEN 'clip retired' END AS why
      FROM {{ set.table }} AS f
      JOIN {{ feature_sets }} AS v
        ON v.feature_set = {{ set.name | literal }} AND v.set_version = {{ set.version | literal }} AND v.position = 0
      LEFT JOIN {{ clips_all }} AS c ON c.clip_id = f.clip_id)
WHERE why IS NOT NULL
GROUP BY set_version, preprocessing_id, why
{{ "" if loop.last else "UNION ALL" }}
{% endfor -%}
