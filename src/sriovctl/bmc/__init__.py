"""Link *firmware*, its way to the metal: what a server's BMC says, and how it is told.

:mod:`sriovctl.firmware` is what is, :mod:`~sriovctl.bmc.intents` which setting means what,
:mod:`sriovctl.chain.firmware` decides, :mod:`~sriovctl.bmc.carry` does it through one of the two
doors, :mod:`~sriovctl.bmc.redfish` and :mod:`~sriovctl.bmc.racadm`.
"""
