"""`guardproxy bench`: what guardproxy adds, on the machine at hand, measured from outside.

Programs: `processes` runs servers and reads their CPU time and memory; `upstream` and `nginx` are
what answers; `gateways` says how each thing that is measured is run, `stage` starts them; `wrk`
makes the load with `load.lua`, `client` and `streams` ask where one answer matters; `floor` is the
model without a proxy; `words` is what all of them say.

A run: `run` measures `whole_answers`, `streaming` and workers, in turns, as much as `plan` says, on
what `machine` tells of. `records` is what it finds.

What is made of it is pure: `summary` takes medians, `rules` holds the targets against them,
`report` and `tables` make Markdown, `plot` a picture. `command` is the command.

guardproxy is measured as a process that anybody could have started; only `floor` knows its
classifier.
"""
