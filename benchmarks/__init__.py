"""Measurements, side by side: the table of each is in README.md."""
