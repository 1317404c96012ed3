"""When compiling pays: thresholds, warm-up, what earlier runs taught, the sampling clock."""
