"""How songs and clips come into the store: from folders, from Spotify, and with previews; and how they retire."""
