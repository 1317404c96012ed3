"""Where the time of a program goes: sampled stacks of calls in every tier, exact counts, and their reports."""
