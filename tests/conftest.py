"""What holds for every test."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# a busy machine is no failure
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
