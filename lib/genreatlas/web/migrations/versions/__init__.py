"""One module a version; a database of any of them is brought up to date."""
