"""Layers with parameters, and those that look values up, add noise or measure distances."""
