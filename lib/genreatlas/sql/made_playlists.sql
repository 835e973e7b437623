-- The current playlist of each name, with its recipe and where it was published.
-- optional: published_playlists
SELECT p.name,
       r.kind,
       p.n_songs,
       round(p.seconds / 60, 1) AS minutes,
       p.largest_step,
       p.notes,
       p.sequence,
       p.made_at,
       r.recipe,
       u.published_as,
       p.playlist_id,
       p.recipe_id
FROM {{ generated_playlists }} AS p
JOIN {{ playlist_recipes }} AS r ON r.recipe_id = p.recipe_id
LEFT JOIN (SELECT name, playlist_id, min(concat(service, ':playlist:', external_id)) AS published_as
           FROM {{ published_playlists }}
           GROUP BY name, playlist_id) AS u
  ON u.name = p.name AND u.playlist_id = p.playlist_id
WHERE p.sequence = (SELECT max(o.sequence) FROM {{ generated_playlists }} AS o WHERE o.name = p.name)
