"""SR-IOV on KVM servers, from BIOS switches to virtual machines."""
