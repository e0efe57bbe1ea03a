"""One module for each chat API: which texts a body holds, and what a block looks like there."""
