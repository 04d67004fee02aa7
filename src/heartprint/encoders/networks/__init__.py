"""Networks that turn images into embeddings."""
