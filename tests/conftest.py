"""What every test stands on."""

from __future__ import annotations

from hypothesis import settings

# A shared machine stalls for longer than hypothesis' 200 ms; time is not what properties are about.
# In CI hypothesis loads its own `ci` profile instead, which also takes the same examples each run.
settings.register_profile("untimed", deadline=None)
if settings.get_current_profile_name() == "default":
    settings.load_profile("untimed")
