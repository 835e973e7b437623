"""One migration per module; databases of all earlier versions can be migrated."""
