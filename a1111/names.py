"""Names that everything here shares; nothing is imported for them."""

NAME = "distilled"  # of our schedule among the host's, and of our sampler's rule in the library
LABEL = "Distilled"  # in both dropdowns; fixed, whatever checkpoint is loaded
TITLE = "StepDistill"
KEY = "StepDistill"  # in infotexts: the proof that a schedule of ours ran
HIRES_KEY = "StepDistill hires"
RECIPE_KEY = "StepDistill recipe"  # its numbers (compact.py)
HIRES_RECIPE_KEY = "StepDistill hires recipe"
CHOICE_KEY = (
    "StepDistill record"  # what the panel's list of records was set to, where it was not automatic
)
AUTOMATIC = "Automatic"  # the record is looked up
STOCK_ONLY = "Stock schedule"  # no record is used: for comparisons
HIDDEN_CLASS = "stepdistill-unseen"  # of the page, by its script
ROW_CLASS = "stepdistill-row"  # likewise: controls side by side, apart, of one height
