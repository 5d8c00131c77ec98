"""A library of recipes overnight: a plan of many models, sizes and guidances, worked off by one process, by
Ray's workers, or by ComfyUI servers, into one store."""
