"""Names that everything here shares; nothing is imported for them."""

DISTILLED = "distilled"  # our scheduler and our sampler, in every dropdown
