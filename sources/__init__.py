"""What data there is: one YAML a source, and the source functions that we ship."""
