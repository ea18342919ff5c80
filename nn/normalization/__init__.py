"""Normalizations: over a batch, over the elements of a sample, over neighbours in an image."""
