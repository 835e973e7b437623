-- One row per active clip in the current version of {{ set.name }}: song, genres, part of the split, every feature.
-- for each: summary set
-- optional: clips
SELECT f.clip_id,
       f.song_id,
       {% for column in ("title", "artist", "genres", "n_genres", "genre", "part", "fold", "group_id")
          if column not in set.names -%}
       s.{{ column }},
       {% endfor -%}
       {% for feature in set.names -%}
       f.{{ feature | name }}{{ "" if loop.last else "," }}
       {% endfor -%}
FROM {{ set.table }} AS f
JOIN {{ feature_sets }} AS v
  ON v.feature_set = {{ set.name | literal }} AND v.set_version = {{ set.version | literal }} AND v.position = 0
 AND f.set_version = v.set_version AND f.preprocessing_id = v.preprocessing_id
LEFT JOIN {{ song_overview }} AS s ON s.song_id = f.song_id
LEFT JOIN {{ songs_all }} AS g ON g.song_id = f.song_id
LEFT JOIN {{ clips_all }} AS c ON c.clip_id = f.clip_id
WHERE c.replaced_by IS NULL AND c.retired_at IS NULL AND g.retired_at IS NULL
