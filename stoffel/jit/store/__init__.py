"""What is kept on disk between runs: machine code of kernels, notes of runs."""
