"""A push: records sent to a provider, once."""
