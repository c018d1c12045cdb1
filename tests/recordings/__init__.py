"""Real OTLP bytes of 14 producers, with the figures that must come out. The data came from outside; nobody here wrote it."""
