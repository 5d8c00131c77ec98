"""Two models on one path: one teacher run through both, one schedule over both, a recipe for each half.

Data flows: halves (the two models and where they meet) -> teacher -> programme (dynamic programming
through the hand-over) -> descent (all gaps jointly against the end) -> run (`distill_pair`).
"""
