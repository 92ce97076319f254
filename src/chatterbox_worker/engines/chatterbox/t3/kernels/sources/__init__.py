"""T3's step in Triton's language: most of a step on a GPU is the launching of small kernels and waiting for memory.

Each function is one kernel; its docstring states the formula, the grid and what bounds it. Arithmetic is float32,
whatever type the tensors have. Tensors are contiguous, with the shapes of `operators`. A file imports no function of
another: a compiled kernel is kept for the text of its file.

With `overlaps` a kernel is launched while the one before it still runs (`launch`). What it reads before `gdc_wait` no
kernel of the same step writes: weights, the cache's older positions, and `positions` and `starts`, which were written
before an ordinary launch. Everything else comes after it.
"""
