"""From typed functions to machine code: LLVM IR and the memory that kernels share with the runtime."""
