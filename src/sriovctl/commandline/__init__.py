"""The commands' arguments and help, one module for each group. Light to import."""
