-- Count, mean, median, spread and range of every numeric feature in each genre. A song counts in each of its genres.
-- needs: summary sets
{% for set in summary_sets -%}
SELECT {{ set.name | literal }} AS feature_set,
       p.genre_id,
       p.genre,
       p.feature,
       min(v.unit) AS unit,
       count(p.value) AS n,
       avg(p.value) AS mean,
       median(p.value) AS median,
       stddev_samp(p.value) AS std,
       percentile_cont(0.25) WITHIN GROUP (ORDER BY p.value) AS q1,
       percentile_cont(0.75) WITHIN GROUP (ORDER BY p.value) AS q3,
       min(p.value) AS low,
       max(p.value) AS high
FROM (SELECT * FROM (
        SELECT l.genre_id,
               l.genre,
               {% for feature in set.numeric -%}
               CAST(f.{{ feature | name }} AS double) AS {{ feature | name }}{{ "" if loop.last else "," }}
               {% endfor -%}
        FROM {{ set.wide }} AS f
        JOIN {{ song_labels }} AS l ON l.song_id = f.song_id)
      UNPIVOT (value FOR feature IN ({{ set.numeric | map("name") | join(", ") }}))) AS p
JOIN {{ feature_sets }} AS v
  ON v.feature_set = {{ set.name | literal }} AND v.set_version = {{ set.version | literal }} AND v.feature = p.feature
GROUP BY p.genre_id, p.genre, p.feature
{{ "" if loop.last else "UNION ALL" }}
{% endfor -%}
