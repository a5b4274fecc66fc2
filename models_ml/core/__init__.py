"""The arithmetic on words, vectors and votes: no Django, no database, no network."""
