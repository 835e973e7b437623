-- The drawn tree of genres: parent of each genre with its probability, ancestors from the parent upwards, and their
-- number (depth). Genres without a parent have no row.
{% set levels = 6 -%}
WITH edges AS (
    SELECT DISTINCT t.profile_id, t.genre_id, t.genre, t.parent_id, t.parent, t.probability
    FROM {{ genre_tree }} AS t
    JOIN {{ current_maps }} AS m ON m.profile_id = t.profile_id
    WHERE t.drawn
)
SELECT e0.genre_id,
       e0.genre,
       e0.parent_id,
       e0.parent,
       e0.probability,
       concat_ws(' < '{% for n in range(levels) %}, e{{ n }}.parent{% endfor %}) AS ancestors,
       {% for n in range(levels) %}CASE WHEN e{{ n }}.parent IS NULL THEN 0 ELSE 1 END{{ "" if loop.last else " + " }}{% endfor %} AS depth,
       e0.profile_id
FROM edges AS e0
{% for n in range(1, levels) -%}
LEFT JOIN edges AS e{{ n }} ON e{{ n }}.profile_id = e0.profile_id AND e{{ n }}.genre_id = e{{ n - 1 }}.parent_id
{% endfor -%}
