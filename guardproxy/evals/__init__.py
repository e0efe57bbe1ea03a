"""Measures and tunes a policy on labelled texts, through the path that `serve` judges on.

rows             one labelled text
data             JSON lines and CSV -> rows
trained_on       which sources a model has seen
judge            texts -> scores, through the classifier of `serve`
score_store      scores kept on disk, without texts
table            labels, scores and what a policy says, as columns
metrics          figures of a binary judge, pure
resamples        intervals by bootstrap, pure
measure          table -> figures by category and slice, pure
variants         the same for unfinished answers and for conversations, pure
buried           harmful texts among harmless ones, pure
behind           texts behind turns about something else, pure
evaluate         rows -> report
report           the figures as values; report_json, report_markdown show them
tune             thresholds for a goal, pure
policy_patch     new thresholds in the text of a policy, pure
plots            pictures of a table; matplotlib, an extra
origin           where figures come from
"""
