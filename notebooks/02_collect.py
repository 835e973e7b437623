# Databricks notebook source
# MAGIC %md
# MAGIC # Collect
# MAGIC From a scraped map of genres to clips that can be heard. Here three steps ask the sandbox world, a server on
# MAGIC this machine that speaks Every Noise, Spotify, Deezer and a clip CDN: no account, no network. Part of its
# MAGIC answers go wrong on purpose, as they do outside.
# MAGIC
# MAGIC With `conf = conf/fanout.toml` the same cells ask the real services; `docs/fan_out.md` says what each allows,
# MAGIC and whose terms hold.

# COMMAND ----------

dbutils.widgets.text("conf", "conf/demo.toml", "Configuration files")
dbutils.widgets.text("store", "", "Store: a path or catalog.schema; empty: as configured")
dbutils.widgets.text("home", "data/collect", "Folder for everything; empty: as configured")
dbutils.widgets.text("fault_share", "0.1", "Share of the sandbox world's answers that go wrong")

# COMMAND ----------

import pandas as pd

from genreatlas.explore import pictures, samples, sound
from genreatlas.notebook.opening import open_from_widgets
from genreatlas.runner import run_steps, sandbox_world
from genreatlas.sql.registering import register_views

weather = [
    f"world.fault_share={dbutils.widgets.get('fault_share')}",
    # What failed is due again at once, and not in ten minutes; a connection that says nothing is given up sooner.
    "fan_out.retry_delay_s=0",
    "fan_out.max_attempts=3",
    "fan_out.read_s=5",
]
store, config = open_from_widgets(spark, dbutils)
if config.world.start:
    store, config = open_from_widgets(spark, dbutils, *weather)
print("store:    ", store.location.root or store.location.prefix)
print("providers:", ", ".join(config.fetch_previews.providers), f"({config.fan_out.runner})")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Fan out
# MAGIC The map and a page for each genre; then the songs of each genre's playlists; then a clip of each song, from
# MAGIC the first provider that has one. Whatever fails in passing is tried again, within the stated rates.

# COMMAND ----------

steps = ["scrape_genres", "collect_songs", "fetch_previews"]
requests = []
with sandbox_world(config) as world:
    if world:
        run_steps(["compose_library"], spark, config)
    run_steps(steps, spark, config)
    requests = world.counts() if world else []

# COMMAND ----------

# MAGIC %md
# MAGIC Run again, the steps ask for what is new or due: one request a playlist, for its snapshot. (Here a failed key
# MAGIC was due at once, within the first run; by default it comes back after ten minutes.) The weather is fair now.

# COMMAND ----------

if world:
    store, config = open_from_widgets(spark, dbutils, *weather[1:])
with sandbox_world(config):
    run_steps(steps, spark, config)

views = register_views(store, config.splits.name)

# COMMAND ----------

# MAGIC %md
# MAGIC ## What the app may do
# MAGIC Spotify allows different things to different apps; one request each finds out, before anything is planned.

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT ability, allowed, value, http_status, detail FROM spotify_access ORDER BY ability

# COMMAND ----------

# MAGIC %md
# MAGIC ## The map
# MAGIC Every genre at its place and in its colour, as on Every Noise At Once.

# COMMAND ----------

genres = spark.table("genres_latest").toPandas()
displayHTML(pictures.html(pictures.genre_map(genres)))

# COMMAND ----------

# MAGIC %md
# MAGIC ## What came of each genre
# MAGIC Songs that its lists gave, how many of them can be asked for by ISRC, and how many have a clip.

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT g.genre, count(DISTINCT g.song_id) AS songs, count(DISTINCT s.isrc) AS with_isrc,
# MAGIC        count(DISTINCT c.song_id) AS with_clip,
# MAGIC        round(100 * count(DISTINCT c.song_id) / count(DISTINCT g.song_id)) AS percent,
# MAGIC        array_join(array_sort(collect_set(c.provider)), ', ') AS providers
# MAGIC FROM song_labels AS g
# MAGIC JOIN songs AS s ON s.song_id = g.song_id
# MAGIC LEFT JOIN clips AS c ON c.song_id = g.song_id AND c.replaced_by IS NULL
# MAGIC GROUP BY g.genre
# MAGIC ORDER BY songs DESC, g.genre

# COMMAND ----------

# MAGIC %md
# MAGIC Lists hold more than songs: entries that are no track, and repeated ones, are counted.

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT genre, route, role, name, total, entries, tracks, kept, left_out
# MAGIC FROM playlists
# MAGIC ORDER BY genre, route, role, name

# COMMAND ----------

# MAGIC %md
# MAGIC ## Health
# MAGIC Every try is a row of `fetch_attempts`; this view counts them by provider, day and reason. `n_waiting` keys
# MAGIC are retried when they are due.

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT task, provider, day, status, reason, n_tries, n_keys, n_waiting, next_retry_at
# MAGIC FROM fetch_health
# MAGIC ORDER BY task, provider, day, status, n_tries DESC, reason

# COMMAND ----------

# MAGIC %md
# MAGIC What will not come back, because another try would end the same way:

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT stage, reason, n, example FROM quarantine_reasons ORDER BY n DESC, stage, reason

# COMMAND ----------

# MAGIC %md
# MAGIC The same first run from the other side: the requests that the sandbox world answered, and what it did to them.

# COMMAND ----------

asked = pd.DataFrame(requests, columns=["service", "path", "status", "fault", "requests"])
display(asked.sort_values(["service", "path", "fault", "status"], ignore_index=True))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Listen
# MAGIC One fetched clip of each genre. Fetched bytes lie in the table `clip_audio`; `retention = "features"` drops
# MAGIC them once features are extracted, `purge` removes those of a provider for good.

# COMMAND ----------

displayHTML(sound.listen(samples.clips_to_hear(store, 8)))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Go on
# MAGIC `extract_features`, `assign_splits`, `train_models` and the rest go on from here as with a folder of music:
# MAGIC `./spark-submit.sh pipeline --conf conf/demo.toml`.
