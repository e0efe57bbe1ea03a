"""Measures and tunes a policy on labelled texts, through the path that `serve` judges on.

rows        one labelled text
data        JSON lines and CSV -> rows
"""
