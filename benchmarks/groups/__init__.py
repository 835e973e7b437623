"""Groups of benchmarks: each module has ``measure(context)``, which yields results."""
