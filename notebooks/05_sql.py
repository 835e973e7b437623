# Databricks notebook source
# MAGIC %md
# MAGIC # Questions in SQL
# MAGIC Tables and views go by their own names, here and in `docs/sql.md`. `docs/data_dictionary.md` has every
# MAGIC column with its unit; `DESCRIBE TABLE EXTENDED` shows the same.

# COMMAND ----------

dbutils.widgets.text("conf", "conf/demo.toml", "Configuration files")
dbutils.widgets.text("store", "", "Store: a path or catalog.schema; empty: as configured")
dbutils.widgets.text("home", "", "Folder for everything; empty: as configured")

# COMMAND ----------

import pandas as pd

from genreatlas.notebook.opening import open_from_widgets
from genreatlas.sql.registering import register_views

store, config = open_from_widgets(spark, dbutils)
views = register_views(store, config.splits.name)
print(*views.notes, sep="\n")
display(pd.DataFrame([(view.name, view.comment) for view in views.views], columns=["view", "what it holds"]))

# COMMAND ----------

# MAGIC %md
# MAGIC Columns say what they hold, in which unit, and where the value comes from:

# COMMAND ----------

# MAGIC %sql
# MAGIC DESCRIBE TABLE EXTENDED features_loudness

# COMMAND ----------

# MAGIC %md
# MAGIC ## How big is a genre after dropping songs that other genres claim too?

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT genre, n_songs, n_shared, n_alone, n_artists
# MAGIC FROM genre_sizes
# MAGIC ORDER BY n_alone DESC, genre

# COMMAND ----------

# MAGIC %md
# MAGIC ## Which genres claim the same songs?

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT a.genre, b.genre AS other, count(*) AS songs
# MAGIC FROM song_labels AS a
# MAGIC JOIN song_labels AS b ON b.song_id = a.song_id AND a.genre_id < b.genre_id
# MAGIC GROUP BY a.genre, b.genre
# MAGIC ORDER BY songs DESC, a.genre, b.genre

# COMMAND ----------

# MAGIC %md
# MAGIC ## Did loudness explain it?

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT hears, round(max(macro_f1), 3) AS best_macro_f1, min(rank) AS best_rank
# MAGIC FROM leaderboard
# MAGIC WHERE part = 'test'
# MAGIC GROUP BY hears
# MAGIC ORDER BY best_macro_f1 DESC

# COMMAND ----------

# MAGIC %md
# MAGIC ## Which songs does the best model confuse between techno and house?

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT title, artist, genre, predicted, round(confidence, 2) AS confidence
# MAGIC FROM confusions
# MAGIC JOIN leaderboard USING (model_id, part)
# MAGIC WHERE rank = 1 AND part = 'test' AND genre_id IN ('techno', 'house') AND predicted_id IN ('techno', 'house')
# MAGIC ORDER BY margin DESC, title

# COMMAND ----------

# MAGIC %md
# MAGIC ## Which genres does it mistake for which?

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT genre, predicted, count(*) AS songs, round(avg(margin), 2) AS mean_margin
# MAGIC FROM confusions
# MAGIC JOIN leaderboard USING (model_id, part)
# MAGIC WHERE rank = 1 AND part = 'test'
# MAGIC GROUP BY genre, predicted
# MAGIC ORDER BY songs DESC, genre, predicted

# COMMAND ----------

# MAGIC %md
# MAGIC ## What sounds like techno?

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT rank, other, round(distance, 2) AS distance
# MAGIC FROM genre_nearest
# MAGIC WHERE genre_id = 'techno' AND feature_set = 'summary9'
# MAGIC ORDER BY rank

# COMMAND ----------

# MAGIC %md
# MAGIC ## How loud is each genre?

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT l.genre, round(median(w.loudness_lufs), 1) AS lufs, round(median(w.peak_dbfs), 1) AS peak_dbfs,
# MAGIC        count(*) AS clips
# MAGIC FROM wide_loudness AS w
# MAGIC JOIN song_labels AS l ON l.song_id = w.song_id
# MAGIC GROUP BY l.genre
# MAGIC ORDER BY lufs DESC, l.genre

# COMMAND ----------

# MAGIC %md
# MAGIC ## How does a song move over time?

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT CAST(floor(time_s) AS int) AS second, round(avg(mfcc1), 2) AS mfcc1, round(avg(mfcc2), 2) AS mfcc2,
# MAGIC        count(*) AS frames
# MAGIC FROM timed_mfcc12_frames
# MAGIC WHERE song_id = (SELECT min(song_id) FROM song_labels WHERE genre_id = 'techno')
# MAGIC GROUP BY floor(time_s)
# MAGIC ORDER BY second

# COMMAND ----------

# MAGIC %md
# MAGIC ## Does any artist sit on both sides of the split?

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT min(a.name) AS artist, count(DISTINCT p.part) AS parts, count(DISTINCT c.song_id) AS songs
# MAGIC FROM song_artists AS c
# MAGIC JOIN artists AS a ON a.artist_id = c.artist_id
# MAGIC JOIN current_split AS p ON p.song_id = c.song_id
# MAGIC WHERE c.role = 'primary' AND p.part <> 'excluded'
# MAGIC GROUP BY translate(lower(a.name), ' .,-/&', '')
# MAGIC HAVING count(DISTINCT p.part) > 1

# COMMAND ----------

# MAGIC %md
# MAGIC ## What was left out, and why?

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT stage, reason, n, example
# MAGIC FROM quarantine_reasons
# MAGIC ORDER BY n DESC, stage, reason

# COMMAND ----------

# MAGIC %md
# MAGIC ## What was the best model trained on?

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT table_name, version, fold_score, git_commit
# MAGIC FROM model_lineage
# MAGIC JOIN leaderboard USING (model_id)
# MAGIC WHERE rank = 1 AND part = 'test'
# MAGIC ORDER BY table_name

# COMMAND ----------

# MAGIC %md
# MAGIC ## Is anything out of date?

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT table_name, set_version, why, n_rows
# MAGIC FROM stale_rows
# MAGIC ORDER BY table_name, set_version, why
