"""Two samplers that share one run: where the first left its latent, the second goes on."""
