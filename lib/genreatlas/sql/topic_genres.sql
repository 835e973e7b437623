-- Genres with the largest shares of each topic of the current fit, over songs of the training part: mean share over the
-- genre's songs, and lift: this share divided by the mean over all songs (topic_share).
SELECT g.feature_set,
       g.topic,
       g.topic_share,
       array_position(g.genres, g.genre_id) AS rank,
       g.genre_id,
       {{ at("g.genre_names", "array_position(g.genres, g.genre_id) - 1") }} AS genre,
       {{ at("g.genre_shares", "array_position(g.genres, g.genre_id) - 1") }} AS share,
       {{ at("g.genre_lifts", "array_position(g.genres, g.genre_id) - 1") }} AS lift,
       g.set_version
FROM (SELECT t.feature_set, t.set_version, t.topic, t.share AS topic_share, t.genres, t.genre_names, t.genre_shares,
             t.genre_lifts, {{ explode("t.genres") }} AS genre_id
      FROM {{ topics }} AS t
      JOIN (SELECT feature_set, max(sequence) AS sequence FROM {{ topic_models }} GROUP BY feature_set) AS n
           ON n.feature_set = t.feature_set
      JOIN {{ topic_models }} AS m
           ON m.feature_set = t.feature_set AND m.set_version = t.set_version AND m.sequence = n.sequence) AS g
