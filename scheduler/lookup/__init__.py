"""Which record, and which of its recipes, serves what is asked for."""
