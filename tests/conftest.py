"""What holds for all tests."""

from hypothesis import settings

# A test says whether an answer is right; how long it took depends on who else uses the machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
