"""Pure functions on arrays, without state: what the modules compute with."""
