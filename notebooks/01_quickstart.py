# Databricks notebook source
# MAGIC %md
# MAGIC # Quickstart
# MAGIC The full pipeline, from a scraped page to an evaluated model, in a small world made on the spot: composed
# MAGIC music, served on this machine as Every Noise, Spotify and a clip CDN serve theirs. No account, no network. It
# MAGIC takes some minutes on two cores; run again, it finds that nothing was left to do.
# MAGIC
# MAGIC On Databricks install the wheel first (`docs/databricks.md`), and set `home` to a volume, such as
# MAGIC `/Volumes/main/genres/atlas`, and `store` to a schema, such as `main.genres`. Locally the defaults do.

# COMMAND ----------

dbutils.widgets.text("conf", "conf/demo.toml", "Configuration files")
dbutils.widgets.text("store", "", "Store: a path or catalog.schema; empty: as configured")
dbutils.widgets.text("home", "", "Folder for everything; empty: as configured")

# COMMAND ----------

from genreatlas.explore import pictures
from genreatlas.notebook.opening import open_from_widgets
from genreatlas.runner import run_steps, sandbox_world
from genreatlas.sql.registering import register_views

store, config = open_from_widgets(spark, dbutils)
print("steps:", " → ".join(config.pipeline.steps))
print("store:", store.location.root or store.location.prefix)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Run it
# MAGIC Each step prints one line, and below it what a person should know. Files that cannot be used do not stop
# MAGIC anything: they are rows of `quarantine`, with a reason.

# COMMAND ----------

with sandbox_world(config):
    run_steps(config.pipeline.steps, spark, config)

# COMMAND ----------

# MAGIC %md
# MAGIC ## What is there now
# MAGIC Tables and views go by their own names in this session.

# COMMAND ----------

views = register_views(store, config.splits.name)
print("tables:", ", ".join(views.tables))
print("views: ", ", ".join(view.name for view in views.views))

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT title, artist, genres, part, n_clips, seconds FROM song_overview ORDER BY artist, title LIMIT 12

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT stage, reason, n, example FROM quarantine_reasons ORDER BY n DESC, reason

# COMMAND ----------

# MAGIC %md
# MAGIC ## How well genres are told apart
# MAGIC Songs of test artists, whom no model heard in training. Whiskers are 95 % intervals over artists; the dashed
# MAGIC line is the best model that hears no music.

# COMMAND ----------

drawn = pictures.judged(store, config)
displayHTML(pictures.html(drawn.leaderboard))

# COMMAND ----------

displayHTML(pictures.html(*[figure for _, figure, _ in drawn.confusion]))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Go on
# MAGIC `02_collect` fetches songs of real genres, `03_explore` draws the library, `04_train_and_judge` trains with
# MAGIC other settings, `05_sql` asks questions, `06_retrain` keeps a model up to date. The same line runs on your
# MAGIC own files with `conf = conf/local.toml`.
