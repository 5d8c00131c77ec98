"""The routes that the page asks, and which requests they take."""
