"""Does it hold: real outages, measured. See docs/trial.md."""
