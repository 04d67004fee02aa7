"""Folders that hold an encoder or a model: written, read and checked."""
