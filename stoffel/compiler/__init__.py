"""From VM functions to something faster."""
