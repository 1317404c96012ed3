"""Instructions, functions, programs and their file formats: what everything else agrees on."""
