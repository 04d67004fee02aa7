"""Networks that turn pages into embeddings."""
