"""A Stoffel virtual machine with a just-in-time compiler."""
