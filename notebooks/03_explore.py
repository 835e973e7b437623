# Databricks notebook source
# MAGIC %md
# MAGIC # Explore a library
# MAGIC Everything one draws before modelling: how many songs there are of what, how features are distributed and
# MAGIC hang together, how long songs are, and what they look and sound like.

# COMMAND ----------

dbutils.widgets.text("conf", "conf/demo.toml", "Configuration files")
dbutils.widgets.text("store", "", "Store: a path or catalog.schema; empty: as configured")
dbutils.widgets.text("home", "", "Folder for everything; empty: as configured")
dbutils.widgets.text("feature_set", "summary9", "Summary set to draw")
dbutils.widgets.text("n_genres", "8", "Genres to draw: the largest")

# COMMAND ----------

from genreatlas.explore import pictures, samples, sound
from genreatlas.notebook.opening import open_from_widgets
from genreatlas.sql.registering import register_views

store, config = open_from_widgets(spark, dbutils)
views = register_views(store, config.splits.name)
n_genres = int(dbutils.widgets.get("n_genres"))
print(f"{len(views.tables)} tables, {len(views.views)} views", *views.notes, sep="\n")

# COMMAND ----------

# MAGIC %md
# MAGIC ## How many of what
# MAGIC `n_alone` is what is left of a genre once songs that other genres claim too are dropped.

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT genre, n_songs, n_alone, n_shared, n_artists, n_clips, round(hours, 2) AS hours, n_train, n_test
# MAGIC FROM genre_sizes
# MAGIC ORDER BY n_songs DESC, genre

# COMMAND ----------

# MAGIC %md
# MAGIC How often each value occurs among the sources: what a file is says nothing about music, and a model must not
# MAGIC live on it.

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT codec, sample_rate, channels, bit_rate, count(*) AS clips
# MAGIC FROM clips
# MAGIC WHERE replaced_by IS NULL
# MAGIC GROUP BY codec, sample_rate, channels, bit_rate
# MAGIC ORDER BY clips DESC

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT flag, count(*) AS clips
# MAGIC FROM (SELECT explode(quality_flags) AS flag FROM clips WHERE replaced_by IS NULL)
# MAGIC GROUP BY flag
# MAGIC ORDER BY clips DESC

# COMMAND ----------

# MAGIC %md
# MAGIC ## How features are distributed
# MAGIC Kernel densities of the features that tell these genres apart best on their own (F statistic of one-way
# MAGIC ANOVA). All ridges of a picture have the same area. Features that look alike in every genre are left to the
# MAGIC reader: call `densities` with their names.

# COMMAND ----------

sample = samples.sample_features(store, dbutils.widgets.get("feature_set"), n_genres)
print(
    f"{len(sample.rows)} clips of {len(sample.genres)} genres, {len(sample.features)} features of {sample.feature_set}"
)
chosen = sample.most_discriminative(6)
displayHTML(pictures.html(*pictures.densities(sample, chosen)))

# COMMAND ----------

# MAGIC %md
# MAGIC ## How features hang together
# MAGIC A full blue cell means that two features rise together, a full orange one that one falls where the other
# MAGIC rises.

# COMMAND ----------

displayHTML(pictures.html(pictures.correlation(sample, sample.most_discriminative(24))))

# COMMAND ----------

# MAGIC %md
# MAGIC Genres by the medians of all features, each feature scaled to deviation 1: genres that correlate are alike
# MAGIC in what the set measures.

# COMMAND ----------

displayHTML(pictures.html(pictures.genre_correlation(sample)))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Pairs
# MAGIC One dot is one clip. Where two genres never overlap in a cell, two numbers are enough to tell them apart.

# COMMAND ----------

displayHTML(pictures.html(pictures.pair_plot(sample, sample.most_discriminative(5))))

# COMMAND ----------

# MAGIC %md
# MAGIC ## How long songs are
# MAGIC Boxes from the first to the third quarter, whiskers to the last song within 1.5 box lengths (Tukey's rule),
# MAGIC songs beyond as dots.

# COMMAND ----------

durations = samples.durations(store, n_genres)
displayHTML(pictures.html(pictures.duration_boxes(durations)))

# COMMAND ----------

display(pictures.outliers(durations).head(20))

# COMMAND ----------

# MAGIC %md
# MAGIC Mean length per genre:

# COMMAND ----------

displayHTML(pictures.html(pictures.mean_lengths(durations)))

# COMMAND ----------

# MAGIC %md
# MAGIC ## What a song looks like
# MAGIC One clip: its waveform, its spectrogram, the same in mel bands, and its tempogram (at which tempo the onsets
# MAGIC repeat, second by second).

# COMMAND ----------

clips = samples.clips_to_hear(store, n_genres)
first = clips.iloc[0]
print(first["genre"], first["artist"], first["title"], sep=" · ")
displayHTML(pictures.html(*sound.see(first)))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Listen
# MAGIC One clip of each genre, drawn by a seeded hash.

# COMMAND ----------

displayHTML(sound.listen(clips))
