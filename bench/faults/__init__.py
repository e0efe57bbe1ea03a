"""What guardproxy does when things go wrong, measured: `make faults` and `make soak`."""
