"""Connect sessions: an end user consents at a provider, and a connection comes to be."""
