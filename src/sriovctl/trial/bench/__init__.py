"""What SR-IOV brings: VMs on bridges and on VFs, and their host itself, measured in turns."""
