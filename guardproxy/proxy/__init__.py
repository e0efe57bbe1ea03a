"""HTTP in, HTTP out: limits, the way to the upstream, and the answer back."""
