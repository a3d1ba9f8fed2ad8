"""From what the artist chose to a keyed head: the source, the face, the request, and the take that is kept."""
