"""python -m posthouse."""
