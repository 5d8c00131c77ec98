"""Fits: the teacher, and what is fitted to it step by step and then against its end."""
