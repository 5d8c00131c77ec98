"""Searches for schedules.

Inner products of recorded trajectories, and the dynamic programmes over them.
"""
