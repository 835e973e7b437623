# Databricks notebook source
# MAGIC %md
# MAGIC # Train and judge
# MAGIC Candidates are compared on the folds of the training part; the best of each engine and feature set is fitted
# MAGIC again on all of it, and judged on test artists whom it never heard. What was trained before is not trained
# MAGIC again.

# COMMAND ----------

dbutils.widgets.text("conf", "conf/demo.toml", "Configuration files")
dbutils.widgets.text("store", "", "Store: a path or catalog.schema; empty: as configured")
dbutils.widgets.text("home", "", "Folder for everything; empty: as configured")
dbutils.widgets.text("genres", "", "Genres to tell apart, separated by commas; empty: as configured")
dbutils.widgets.dropdown("labels", "drop", ["drop", "rarest", "multi"], "What a song with several genres means")

# COMMAND ----------

from genreatlas.explore import pictures, sound
from genreatlas.notebook.opening import config_from_widgets, open_from_widgets
from genreatlas.report import queries
from genreatlas.runner import run_steps
from genreatlas.sql.registering import register_views

store, _ = open_from_widgets(spark, dbutils)
genres = [name.strip() for name in dbutils.widgets.get("genres").split(",") if name.strip()]
wanted = [f"train.genres={genres}"] if genres else []
config = config_from_widgets(dbutils, f"train.labels={dbutils.widgets.get('labels')}", *wanted)
run_steps(["assign_splits", "train_models", "evaluate_models"], spark, config)
views = register_views(store, config.splits.name)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Candidates
# MAGIC Mean, worst and best fold of each, how much better it is on what it was trained on (`gap`), and why a
# MAGIC candidate has no score.

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT engine, estimator, feature_set, params, round(score_mean, 3) AS mean, round(score_min, 3) AS worst,
# MAGIC        round(score_max, 3) AS best, round(gap, 3) AS gap, status, coalesce(detail, reason) AS why
# MAGIC FROM experiments
# MAGIC ORDER BY score_mean DESC NULLS LAST, candidate

# COMMAND ----------

# MAGIC %md
# MAGIC ## What became of the songs
# MAGIC How many of each genre were left, and at which rule the others went.

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT t.genre, t.songs, t.no_features, t.filtered, t.duplicates, t.several, t.surplus, t.kept, t.why
# MAGIC FROM training_genres AS t
# MAGIC JOIN (SELECT DISTINCT dataset_id FROM models JOIN leaderboard USING (model_id) WHERE rank = 1) AS best
# MAGIC   ON best.dataset_id = t.dataset_id
# MAGIC ORDER BY t.kept, t.genre

# COMMAND ----------

# MAGIC %md
# MAGIC ## Leaderboard
# MAGIC `p_value` (paired permutation test over artists, Holm) says whether a model's distance to the best one could
# MAGIC be luck; `hears` what a baseline knows of the music.

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT rank, engine, estimator, feature_set, hears, round(accuracy, 3) AS accuracy,
# MAGIC        round(macro_f1, 3) AS macro_f1, round(macro_f1_low, 3) AS low, round(macro_f1_high, 3) AS high,
# MAGIC        p_value, n_songs, n_groups, grouping
# MAGIC FROM leaderboard
# MAGIC WHERE part = 'test'
# MAGIC ORDER BY rank

# COMMAND ----------

drawn = pictures.judged(store, config)
displayHTML(pictures.html(drawn.leaderboard))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Mistakes
# MAGIC Rows are true genres, columns what was said; a full cell on the diagonal is a genre that was always
# MAGIC recognised.

# COMMAND ----------

displayHTML(pictures.html(*[figure for _, figure, _ in drawn.confusion]))

# COMMAND ----------

# MAGIC %md
# MAGIC The surest mistakes of the best model, to read and to listen to:

# COMMAND ----------

mistakes = spark.sql("""
    SELECT title, artist, genre, predicted, round(confidence, 2) AS confidence, round(margin, 2) AS margin, song_id
    FROM confusions JOIN leaderboard USING (model_id, part)
    WHERE rank = 1 AND part = 'test'
    ORDER BY margin DESC, song_id
    LIMIT 6
""")
display(mistakes.drop("song_id"))

# COMMAND ----------

displayHTML(sound.listen(queries.with_clip(store, mistakes.select("song_id", "genre")).toPandas()))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Can its confidence be believed?

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT c.bin_low, c.bin_high, c.n_songs, round(c.mean_confidence, 2) AS said,
# MAGIC        round(c.share_right, 2) AS was_right
# MAGIC FROM calibration_bins AS c
# MAGIC JOIN leaderboard AS l ON l.model_id = c.model_id AND l.part = c.part
# MAGIC WHERE l.rank = 1 AND l.part = 'test'
# MAGIC ORDER BY c.bin_low

# COMMAND ----------

# MAGIC %md
# MAGIC ## What it listens to
# MAGIC The score that is lost when a feature is shuffled among test songs (permutation), or what the trees split by
# MAGIC (impurity).

# COMMAND ----------

displayHTML(pictures.html(*[figure for _, _, figure in drawn.importances[:4]]))
