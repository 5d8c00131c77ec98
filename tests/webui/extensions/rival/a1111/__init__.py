"""Another extension's package of the same name as ours."""

RIVAL = True
