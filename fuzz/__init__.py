"""Coverage-guided fuzzing: targets, their corpus, and how to look for more."""
