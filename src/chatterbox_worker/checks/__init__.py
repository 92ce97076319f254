"""Judges a take: what its sound and its words say against it. Pure functions; speaking again is `checked_takes`."""
