"""Backbones, preprocessing, and the folders trained weights live in."""
