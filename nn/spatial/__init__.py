"""Layers over time, images and volumes: convolutions."""
