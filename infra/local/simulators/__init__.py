"""Loopback stand-ins for the providers, each built from the provider's own documents."""
