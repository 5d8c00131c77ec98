"""Names that everything here shares; nothing is imported for them."""

MARK = "stepdistill_store"  # an input that queued prompts are marked with (server/queued.py)
DISTILLED = "distilled"  # our scheduler and our sampler, in every dropdown
