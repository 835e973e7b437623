"""Input from outside: files, tags, manifests, tables of features, web services. Does not use Spark."""
