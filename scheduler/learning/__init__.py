"""Learning from the pictures that are drawn anyway: what happens to one picture, and the recipe that
comes of it. Knows no host.

`drawing.draw_and_learn` runs one picture with what a host can do (`host.Host`); words.py says what
happened. Data flows one way: modes, situation -> full_run, bend -> choosing -> deciding, fitting ->
outcome -> drawing, words.
"""
