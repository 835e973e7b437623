-- Count, mean, median, spread and range of every numeric feature per genre. Songs count in each of their genres.
-- needs: summary sets
{% for set in summary_sets -%}
SELECT {{ set.name | literal }} AS feature_set,
       p._genre_id AS genre_id,
       p._genre AS genre,
       p._feature AS feature,
       min(v.unit) AS unit,
       count(p._value) AS n,
       avg(p._value) AS mean,
       median(p._value) AS median,
       stddev_samp(p._value) AS std,
       percentile_cont(0.25) WITHIN GROUP (ORDER BY p._value) AS q1,
       percentile_cont(0.75) WITHIN GROUP (ORDER BY p._value) AS q3,
       min(p._value) AS low,
       max(p._value) AS high
FROM (SELECT * FROM (
        SELECT l.genre_id AS _genre_id,
               l.genre AS _genre,
               {% for feature in set.numeric -%}
               CAST(f.{{ feature | name }} AS double) AS {{ feature | name }}{{ "" if loop.last else "," }}
               {% endfor -%}
        FROM {{ set.wide }} AS f
        JOIN {{ song_labels }} AS l ON l.song_id = f.song_id)
      UNPIVOT (_value FOR _feature IN ({{ set.numeric | map("name") | join(", ") }}))) AS p
JOIN {{ feature_sets }} AS v
  ON v.feature_set = {{ set.name | literal }} AND v.set_version = {{ set.version | literal }} AND v.feature = p._feature
GROUP BY p._genre_id, p._genre, p._feature
{{ "" if loop.last else "UNION ALL" }}
{% endfor -%}
