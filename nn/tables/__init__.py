"""Modules on tables, and those that change or cut shapes; nn.tables.full and its like, tables of connections."""

from .connections import full, oneToOne, random

__all__ = ["full", "oneToOne", "random"]
