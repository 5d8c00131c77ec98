"""Few-Step KSampler: one node that draws in few steps, and learns how from the pictures."""
