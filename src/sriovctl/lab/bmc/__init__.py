"""The virtual iDRAC: a BMC that owns the power and the BIOS settings of a server of the lab.

What it does and does not do of a real one: docs/lab-bmc.md.
"""
