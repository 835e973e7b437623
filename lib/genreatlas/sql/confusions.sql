-- Misclassified songs with their names: one row per model, song and true genre. margin is the predicted genre's score
-- minus the true genre's.
-- optional: songs
SELECT w.model_id,
       w.part,
       w.song_id,
       s.title,
       s.artist,
       w.genre_id,
       coalesce(t.genre, w.genre_id) AS genre,
       w.predicted AS predicted_id,
       coalesce(n.genre, w.predicted) AS predicted,
       w.confidence,
       {{ lookup("w.scores", "w.genre_id") }} AS score_of_truth,
       w.confidence - {{ lookup("w.scores", "w.genre_id") }} AS margin,
       w.score_kind
FROM (SELECT model_id, part, song_id, predicted, confidence, scores, score_kind, {{ explode("genres") }} AS genre_id
      FROM {{ predictions }}
      WHERE NOT array_contains(genres, predicted)) AS w
LEFT JOIN {{ songs_all }} AS s ON s.song_id = w.song_id
LEFT JOIN {{ genre_names }} AS t ON t.genre_id = w.genre_id
LEFT JOIN {{ genre_names }} AS n ON n.genre_id = w.predicted
