"""From an empty database, one after the other; a released one is never changed."""
