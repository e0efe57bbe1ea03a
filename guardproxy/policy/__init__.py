"""What is guarded and what follows from a score: taxonomy, configuration, decisions."""
