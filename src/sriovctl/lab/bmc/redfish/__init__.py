"""The BMC's Redfish side: HTTPS, JSON resources, sessions."""

from sriovctl.lab.bmc.redfish.app import redfish_app

__all__ = ["redfish_app"]
