"""The report of a comparison: one HTML page and a Markdown summary, made from a run's raw data alone."""
