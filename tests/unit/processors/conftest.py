"""Settings of the property tests."""

from hypothesis import settings

# A machine that is busy with other tests is slow; that is no failure of what is tested.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")
