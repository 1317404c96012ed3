"""The shape of a function: decoded instructions, basic blocks, the order of a walk, inlining."""
