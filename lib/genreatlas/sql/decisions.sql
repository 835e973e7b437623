-- Decisions on models in use: the table promotions with names of models. in_use marks the newest decision on an alias,
-- whose model is in use. known_* are scores on genres and groups that the champion was trained on.
WITH named AS (
    SELECT model_id, concat(engine, ' ', estimator, ' on ', feature_set) AS model FROM {{ models }}
)
SELECT p.alias,
       p.sequence,
       p.action,
       p.sequence = max(p.sequence) OVER (PARTITION BY p.alias) AS in_use,
       now_in_use.model,
       champion.model AS champion,
       challenger.model AS challenger,
       p.reason,
       p.metric,
       p.champion_score,
       p.challenger_score,
       p.difference,
       p.low,
       p.known_champion_score,
       p.known_challenger_score,
       p.known_difference,
       p.n_songs,
       p.n_groups,
       p.genres_fallen,
       p.n_genres_untested,
       p.n_decided_before,
       p.split,
       p.split_version,
       p.decided_at,
       p.model_id,
       p.champion_id,
       p.challenger_id
FROM {{ promotions }} AS p
LEFT JOIN named AS now_in_use ON now_in_use.model_id = p.model_id
LEFT JOIN named AS champion ON champion.model_id = p.champion_id
LEFT JOIN named AS challenger ON challenger.model_id = p.challenger_id
