"""What the outside world gives us: files, tags, manifests, tables of features. No Spark here."""
