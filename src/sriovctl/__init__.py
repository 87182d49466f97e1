"""SR-IOV on KVM servers, from BIOS switches to virtual machines."""

__version__ = "0.1.0"
