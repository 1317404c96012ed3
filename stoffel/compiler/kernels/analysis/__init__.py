"""Which types the values of a kernel have, and whether there is a kernel at all."""
