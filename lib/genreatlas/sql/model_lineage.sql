-- Training inputs of each model: one row per model and table, with the table's Delta version, the commit of the code
-- and the run. SELECT * FROM <table> VERSION AS OF <version> shows the rows used.
-- optional: experiments, runs
SELECT m.model_id,
       m.candidate,
       m.table_name,
       {{ lookup("m.input_versions", "m.table_name") }} AS version,
       m.feature_set,
       m.set_version,
       m.preprocessing_id,
       m.split,
       m.split_version,
       m.dataset_id,
       m.seed,
       e.n_songs,
       e.n_classes,
       e.score_mean AS fold_score,
       m.git_commit,
       m.run_id,
       r.started_at,
       m.fitted_at
FROM (SELECT *, {{ explode("map_keys(input_versions)") }} AS table_name FROM {{ models }}) AS m
LEFT JOIN {{ experiments }} AS e ON e.experiment_id = m.experiment_id
LEFT JOIN {{ runs }} AS r ON r.run_id = m.run_id
