"""The driver of the compiled tiers: what runs compiled code, leaves it exactly, and decides what is worth compiling."""
