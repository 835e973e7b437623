-- Nearest songs of each song in the current space, with names. same_recording, same_artist and same_album compare the
-- two songs (false if unknown). nth_of_recording and nth_of_artist number the neighbours of one recording or artist, the
-- nearest first: `nth_of_artist <= 2` keeps two per artist.
SELECT n.song_id,
       a.title,
       a.artist,
       n.rank,
       n.neighbour_song_id,
       b.title AS neighbour_title,
       b.artist AS neighbour_artist,
       b.album AS neighbour_album,
       n.similarity,
       n.distance,
       n.corrected,
       coalesce(x.recording = y.recording, FALSE) AS same_recording,
       coalesce(x.artist = y.artist, FALSE) AS same_artist,
       coalesce(x.album = y.album, FALSE) AS same_album,
       row_number() OVER (PARTITION BY n.song_id, y.recording ORDER BY n.rank) AS nth_of_recording,
       CASE WHEN y.artist IS NULL THEN 1
            ELSE row_number() OVER (PARTITION BY n.song_id, y.artist ORDER BY n.rank) END AS nth_of_artist,
       n.method,
       n.space_id
FROM {{ song_neighbours }} AS n
JOIN (SELECT space_id
      FROM {{ neighbour_spaces }}
      WHERE sequence = (SELECT max(sequence) FROM {{ neighbour_spaces }})) AS p ON p.space_id = n.space_id
JOIN {{ neighbour_songs }} AS x ON x.space_id = n.space_id AND x.song_id = n.song_id
JOIN {{ neighbour_songs }} AS y ON y.space_id = n.space_id AND y.song_id = n.neighbour_song_id
JOIN {{ songs }} AS a ON a.song_id = n.song_id
JOIN {{ songs }} AS b ON b.song_id = n.neighbour_song_id
