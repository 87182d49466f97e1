"""``make bench``: ratios of two things measured in one run, on the virtual rack.

Figures of an emulated machine say little by themselves; two of them, taken in turns in one run,
say which way is shorter and by how much. docs/bench.md tells what is measured and how.
"""
