-- Songs whose fingerprints match those of other songs, with names: copies or versions (kind) of a recording. A recording
-- is named after the song of its id. n_copies: number of copies. bridges: its copies are in several parts or folds of
-- the split {{ split }}, because they were assigned before the link was found.
SELECT l.song_id,
       s.title,
       s.artist,
       l.kind,
       l.recording_id,
       r.title AS recording_title,
       r.artist AS recording_artist,
       coalesce(c.n_copies, 0) AS n_copies,
       l.score,
       l.evidence,
       p.part,
       p.fold,
       coalesce(c.bridges, FALSE) AS bridges
FROM {{ recording_links }} AS l
JOIN {{ songs }} AS s ON s.song_id = l.song_id
LEFT JOIN {{ songs_all }} AS r ON r.song_id = l.recording_id
LEFT JOIN {{ current_split }} AS p ON p.song_id = l.song_id
LEFT JOIN (SELECT recording_id,
                  count(*) AS n_copies,
                  min(place) <> max(place) AS bridges
           FROM (SELECT k.recording_id,
                        CASE WHEN q.part <> 'excluded'
                             THEN concat(q.part, ' ', CAST(coalesce(q.fold, -1) AS string)) END AS place
                 FROM {{ recording_links }} AS k
                 LEFT JOIN {{ current_split }} AS q ON q.song_id = k.song_id
                 WHERE k.kind = 'copy') AS placed
           GROUP BY recording_id) AS c ON c.recording_id = l.recording_id
