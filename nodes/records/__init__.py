"""Records in a graph: the nodes by which they come into it and leave it, and by which names."""
