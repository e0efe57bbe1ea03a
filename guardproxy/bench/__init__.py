"""`guardproxy bench`: what guardproxy adds, on the machine at hand, measured from outside.

`processes` runs servers and reads their CPU time and memory; `upstream` and `nginx` are what
answers; `gateways` says how each thing that is measured is run; `wrk` makes the load, `client`
single requests. `run` measures, in turns, as `plan` says; `records` is what it finds. The rest is
pure: `summary` takes medians, `report` makes tables.

It starts `guardproxy serve` as anybody would, and imports nothing of it.
"""

from guardproxy.bench.command import bench

__all__ = ["bench"]
