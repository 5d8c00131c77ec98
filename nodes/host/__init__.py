"""What is asked of ComfyUI: its models, weights, noise, guider, prompt, settings and store folder."""
