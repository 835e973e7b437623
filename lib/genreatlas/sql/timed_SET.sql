-- One row per frame of {{ set.name }}. time_s: centre of the frame in seconds from the start of the clip's cut.
-- for each: frame set
-- optional: clips
SELECT song_id,
       clip_id,
       frame,
       frame * hop_s AS time_s,
       {% for feature in set.names -%}
       {{ at("frames", "frame * width + " ~ loop.index0) }} AS {{ feature | name }}{{ "" if loop.last else "," }}
       {% endfor -%}
FROM (SELECT f.song_id, f.clip_id, f.hop_s, f.width, f.frames, {{ explode(numbers_below("f.n_frames")) }} AS frame
      FROM {{ set.table }} AS f
      JOIN {{ feature_sets }} AS v
        ON v.feature_set = {{ set.name | literal }} AND v.set_version = {{ set.version | literal }} AND v.position = 0
       AND f.set_version = v.set_version AND f.preprocessing_id = v.preprocessing_id
      LEFT JOIN {{ clips_all }} AS c ON c.clip_id = f.clip_id
      WHERE c.replaced_by IS NULL AND c.retired_at IS NULL AND f.n_frames > 0)
