"""How the bundled checkpoints were made and judged. Not part of the pack."""
