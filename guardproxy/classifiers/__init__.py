"""Texts in, scores out: the embedded model, its queue, its cache, and the recognisers beside it."""
