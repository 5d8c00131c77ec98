"""Searches for schedules: inner products of recorded trajectories, and the dynamic programmes over them."""
