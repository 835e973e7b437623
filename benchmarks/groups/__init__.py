"""Groups of benchmarks: each module has a function ``measure(context)`` that yields results."""
