# Databricks notebook source
# MAGIC %md
# MAGIC # Retrain
# MAGIC A model in use, new music, and the question whether a new model should take over: what the job `retrain` does
# MAGIC on a schedule, step by step. Two libraries are composed here: one to begin with, and one that comes later.
# MAGIC
# MAGIC On your own store leave out the two cells that compose, and set `conf` and `store`.

# COMMAND ----------

dbutils.widgets.text("conf", "conf/demo.toml", "Configuration files")
dbutils.widgets.text("store", "", "Store: a path or catalog.schema; empty: as configured")
dbutils.widgets.text("home", "data/retrain", "Folder for everything; empty: as configured")
dbutils.widgets.text("artists", "5", "Artists of a genre at first")
dbutils.widgets.text("new_artists", "3", "Artists of a genre that come later")

# COMMAND ----------

import os

import genreatlas
from genreatlas.audio.uris import uri_to_path
from genreatlas.explore import samples
from genreatlas.models import aliases
from genreatlas.notebook.opening import open_from_widgets
from genreatlas.report.sounds import player
from genreatlas.runner import hold, run_steps
from genreatlas.sql.registering import register_views

before, later = (int(dbutils.widgets.get(name)) for name in ("artists", "new_artists"))
settings = [
    # A split of its own, with a part for decisions that neither trains nor reports.
    "splits.name=retraining",
    "splits.promotion=0.34",
    "splits.test=0.0",
    "splits.folds=2",
    "extract.feature_sets=['summary9']",
    "train.feature_sets=['summary9']",
    "folder.labels='manifest'",
    # Both libraries number their songs from 1: a song is its file here, not that number.
    "folder.ignore_columns=['song']",
    # As little as this library is: a real one keeps the defaults.
    "retrain.min_groups=4",
    "drift.min_rows=10",
]
home = dbutils.widgets.get("home").strip().rstrip("/") or "data/retrain"
modest = (
    "{engine='sklearn', estimator='random_forest', feature_sets=['summary9'], grid={max_depth=[1], n_estimators=[1]}}"
)
sharper = "{engine='sklearn', estimator='logistic_regression', feature_sets=['summary9'], grid={C=[1.0]}}"
first = [
    *settings,
    f"train.candidates=[{modest}]",
    f"sandbox.artists_per_genre={before}",
    f"sandbox.path='{home}/first'",
    f"folder.path='{home}/first'",
    f"folder.manifest='{home}/first/manifest.csv'",
]
second = [
    *settings,
    f"train.candidates=[{sharper}]",
    f"sandbox.artists_per_genre={later}",
    "sandbox.seed=8",  # other artists
    f"sandbox.path='{home}/second'",
    f"folder.path='{home}/second'",
    f"folder.manifest='{home}/second/manifest.csv'",
]
store, config = open_from_widgets(spark, dbutils, *first)
print("steps of retrain:", " → ".join(config.retrain.steps))

# COMMAND ----------

# MAGIC %md
# MAGIC ## A first model
# MAGIC It becomes champion without a fight. It is a modest one: a tree that asks one question.

# COMMAND ----------

run_steps(["compose_library"], spark, config)

# COMMAND ----------

with hold(spark, config, "retrain"):  # another schedule would stop here, with exit code 4
    run_steps(config.retrain.steps, spark, config)

# COMMAND ----------

# MAGIC %md
# MAGIC ## New music arrives
# MAGIC Other artists of the same genres, in another folder. Only what is new is imported and extracted; new artists
# MAGIC get a part of the split, and those that have one keep it.

# COMMAND ----------

store, config = open_from_widgets(spark, dbutils, *second)
run_steps(["compose_library"], spark, config)

# COMMAND ----------

run_steps(["import_folder", "extract_features", "assign_splits", "measure_drift"], spark, config)
views = register_views(store, config.splits.name)

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT split_version, part, count(*) AS songs, count(DISTINCT group_id) AS artists
# MAGIC FROM splits
# MAGIC WHERE split = 'retraining'
# MAGIC GROUP BY split_version, part
# MAGIC ORDER BY split_version, part

# COMMAND ----------

# MAGIC %md
# MAGIC How far the new songs lie from those that the champion was trained on. With this few songs chance alone makes
# MAGIC a PSI of some tenths; a real library has hundreds before anything is compared.

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT population, subject, name, shift, round(psi, 2) AS psi, round(ks, 2) AS ks,
# MAGIC        round(mean_trained, 2) AS mean_then, round(mean_new, 2) AS mean_now, n_trained, n_new
# MAGIC FROM drift_in_use
# MAGIC WHERE alias = 'champion' AND rank <= 5
# MAGIC ORDER BY population, subject, rank

# COMMAND ----------

# MAGIC %md
# MAGIC ## Retrain and decide
# MAGIC A better candidate is trained on all that is there. It takes over only if it is better on the promotion part
# MAGIC beyond the configured margin, whole artists drawn with replacement, and if no genre falls.

# COMMAND ----------

with hold(spark, config, "retrain"):
    run_steps(config.retrain.steps, spark, config)
views = register_views(store, config.splits.name)

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT sequence, action, challenger, round(champion_score, 3) AS champion_score,
# MAGIC        round(challenger_score, 3) AS challenger_score, round(low, 3) AS gain_at_least, n_songs, n_groups
# MAGIC FROM decisions
# MAGIC WHERE alias = 'champion'
# MAGIC ORDER BY sequence

# COMMAND ----------

# MAGIC %md
# MAGIC The genres behind the decision; `p_value_holm` is that of a fall beyond the allowed one.

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT g.genre_id, round(g.champion_score, 3) AS champion, round(g.challenger_score, 3) AS challenger,
# MAGIC        round(g.difference, 3) AS difference, round(g.p_value_holm, 3) AS p_value_holm, g.n_songs, g.n_groups
# MAGIC FROM promotion_genres AS g
# MAGIC JOIN (SELECT alias, max(sequence) AS sequence FROM promotion_genres GROUP BY alias) AS newest
# MAGIC   ON newest.alias = g.alias AND newest.sequence = g.sequence
# MAGIC ORDER BY difference, g.genre_id

# COMMAND ----------

# MAGIC %md
# MAGIC Without anything new, a schedule has nothing to do:

# COMMAND ----------

run_steps(config.retrain.steps, spark, config)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Taken back
# MAGIC One command, one more row; nothing is deleted, and the same evidence does not promote the model again. (Where
# MAGIC only one model was ever in use, there is none to go back to.)

# COMMAND ----------

if aliases.previous(aliases.decisions(store, config.retrain.alias)):
    run_steps(["rollback", "promote_model"], spark, config)
display(spark.sql("SELECT sequence, action, in_use, model, reason FROM decisions ORDER BY alias, sequence"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## The training set of the champion, again
# MAGIC The tables have grown since. They are read at the versions that the model's row names, and the matrix must have
# MAGIC the hash that was stored with the model.

# COMMAND ----------

champion = aliases.resolve(store, config.retrain.alias)
folder = config.models.path.parent / "rebuilt"
rebuild = [f"rebuild.model_id='{champion.model_id}'", f"rebuild.path='{folder}'"]
run_steps(["rebuild_training_set"], spark, open_from_widgets(spark, dbutils, *second, *rebuild)[1])

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT l.table_name, l.version, l.n_songs, l.n_classes, round(l.fold_score, 3) AS fold_score, l.seed
# MAGIC FROM model_lineage AS l JOIN decisions AS d ON d.model_id = l.model_id
# MAGIC WHERE d.in_use
# MAGIC ORDER BY l.table_name

# COMMAND ----------

# MAGIC %md
# MAGIC ## Use it
# MAGIC `score` writes what the champion says of every clip to a table; `genreatlas.predict` tells the genre of one
# MAGIC file without Spark, with the same numbers.

# COMMAND ----------

run_steps(["score"], spark, config)
views = register_views(store, config.splits.name)

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT o.title, o.artist, o.genres, s.predicted, round(s.confidence, 3) AS confidence
# MAGIC FROM scores AS s JOIN song_overview AS o ON o.song_id = s.song_id
# MAGIC WHERE o.part = 'promotion'
# MAGIC ORDER BY s.confidence DESC, o.song_id
# MAGIC LIMIT 10

# COMMAND ----------

clip = samples.clips_to_hear(store, 1).iloc[0]
answer = genreatlas.predict(os.fsdecode(uri_to_path(clip["uri"])), models=config.models.path)
print(f"{clip['artist']} · {clip['title']} ({clip['genre']})")
for genre, probability in list(answer.probabilities.items())[:4]:
    print(f"  {answer.names[genre]:12} {probability:.3f}")
displayHTML(f'<audio controls preload="none" src="{player(clip).source}"></audio>')

# COMMAND ----------

# MAGIC %md
# MAGIC ## Go on
# MAGIC `docs/retraining.md` has the lines for cron, Airflow and the Databricks bundle, and what each exit code means
# MAGIC to them.
