"""Where the time of a program goes: sampled stacks of VM calls in every tier, exact counts, coverage, and their reports."""
