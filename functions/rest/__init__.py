"""The HTTP API's own words: bodies in, bodies out, problems."""
