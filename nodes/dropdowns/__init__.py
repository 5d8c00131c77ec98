"""The entries named `distilled` in the host's dropdowns, and the Apply node's hooks on a MODEL."""
