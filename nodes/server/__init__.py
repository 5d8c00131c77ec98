"""The routes that the page asks, which requests they take, and what is done to queued prompts."""
