"""The debugger: breakpoints, steps forwards and backwards, and its fronts for the terminal and for editors."""
