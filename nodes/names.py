"""Names that everything here shares; nothing is imported for them."""

DISTILLED = "distilled"  # our scheduler and our sampler, in every dropdown
STOCK = "simple"  # the stock schedule that stands in where nothing was distilled
