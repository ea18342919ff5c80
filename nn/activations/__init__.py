"""Elementwise functions and the softmax family."""
