"""From an encoder and labels to a model."""
