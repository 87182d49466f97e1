"""The virtual rack: switches, servers with SR-IOV cards and nested guests on one machine."""
