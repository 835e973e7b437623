-- Drift of new songs from the training data of the models in use, the largest first within each population. shift
-- classifies the PSI: none below 0.1, some below 0.25, large above.
SELECT d.alias,
       f.population,
       f.subject,
       f.name,
       row_number() OVER (PARTITION BY d.alias, f.population, f.subject ORDER BY f.psi DESC, f.name) AS rank,
       f.psi,
       CASE WHEN f.psi >= 0.25 THEN 'large' WHEN f.psi >= 0.1 THEN 'some' ELSE 'none' END AS shift,
       f.ks,
       f.share_trained,
       f.share_new,
       f.mean_trained,
       f.mean_new,
       f.n_trained,
       f.n_new,
       f.measured_at,
       d.model,
       f.model_id
FROM {{ drift }} AS f
JOIN {{ decisions }} AS d ON d.model_id = f.model_id
WHERE d.in_use
