"""Which record, and which of its recipes, serves what is asked for; and what must be said of it.

`selection.select` is the one answer. Data flows one way: key, differences, rules, starts, wanted ->
match, model_facts, solving -> serving, shelves, stand_in -> selection -> words -> given.
"""

SIMPLE = "simple"  # the schedule that hosts are usually left at; here, for it costs no import
